"""Reports tasks that fail and processes that are lost under them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from billiard.einfo import ExceptionWithTraceback
from billiard.exceptions import Terminated
from celery.exceptions import Ignore, Reject, Retry, TimeLimitExceeded, WorkerLostError
from celery.utils.serialization import get_pickled_exception
from celery.worker import state
from celery.worker.request import Request
from kombu.utils.encoding import safe_repr

from celeryops_runtime._alerts import alert

EXCEPTION_LENGTH = 1000
TRACEBACK_LENGTH = 4000

# How a task says that it hasn't failed, and how an operator ends it.
_NO_FAILURES = (Ignore, Reject, Retry, Terminated)
# Celery 5.7 tells the loss of a process that was asked to end by the first two.
_LOSSES = (SystemExit, KeyboardInterrupt, WorkerLostError)


def report_failures(app: str, tasks: Sequence[str], send: Callable[[dict[str, Any]], None]) -> None:
    """Have `send` called with an alert for each failure of a task whose name matches `tasks`.

    The worker's main process learns of all of them, whatever its pool: the signal task_failure
    comes in the process that ran the task, and not at all where a lost process's task is requeued.
    """
    failed, timed_out = Request.on_failure, Request.on_timeout

    def report(request: Request, error: BaseException, traceback: str = "") -> None:
        wanted = any(fnmatchcase(request.name, task) for task in tasks)
        if wanted and not state.should_terminate:
            send(_alert(app, request, error, traceback))

    def on_failure(self: Request, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        # One that hit its hard limit is reported by on_timeout, which all pools call.
        if not isinstance(error, (*_NO_FAILURES, TimeLimitExceeded)) and not _was_ended(self):
            report(self, error, exc_info.traceback)
        return failed(self, exc_info, *args, **kwargs)

    def on_timeout(self: Request, soft: bool, timeout: float) -> Any:
        if not soft:
            report(self, TimeLimitExceeded(timeout))
        return timed_out(self, soft, timeout)

    Request.on_failure, Request.on_timeout = on_failure, on_timeout


def _was_ended(request: Request) -> bool:
    return bool(request._already_revoked or request._already_cancelled)


def _alert(app: str, request: Request, error: BaseException, traceback: str) -> dict[str, Any]:
    exception = safe_repr(get_pickled_exception(error))[:EXCEPTION_LENGTH]
    make = partial(
        alert,
        app=app,
        node=request.hostname,
        task=request.name,
        id=request.id,
        exception=exception,
        release=os.environ.get("CELERYOPS_RELEASE"),
        traceback=str(traceback)[-TRACEBACK_LENGTH:],
    )
    where = f"task {request.name} on {request.hostname}"
    if isinstance(error, _LOSSES):
        return make("worker-lost", text=f"a process was lost under {where}: {exception}")
    return make("task-failed", text=f"{where} failed: {exception}")
