"""Tasks for trying a cluster out: one that fails on demand, one that leaves a trace."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypedDict

from monitoring_app import ledger
from monitoring_app.celery import app
from monitoring_app.settings import get_settings

if TYPE_CHECKING:
    from celery import Task


class OperationError(Exception):
    """The operation failed, as it was asked to."""


class Outcome(TypedDict):
    """A risky operation that succeeded."""

    id: str
    attempts: int


@app.task(bind=True, max_retries=3)
def risky_operation(self: Task, failures: int, id: str) -> Outcome:
    """Fail `failures` times, then succeed; with over three failures the task fails for good.

    The pauses between the attempts are 1, 2 and 4 times MONITORING_RETRY_BASE seconds.
    """
    retries = self.request.retries
    if retries < failures:
        error = OperationError(f"operation {id} failed at attempt {retries + 1}")
        raise self.retry(exc=error, countdown=get_settings().retry_base * 2**retries)
    return Outcome(id=id, attempts=retries + 1)


@app.task(bind=True)
def work(self: Task, seconds: float, id: str, failures: int = 0) -> str:
    """Sleep, then write `id` to the ledger: what is missing there was lost on the way.

    Before that it fails `failures` times, at most three, and is retried a second later.
    """
    if self.request.retries < failures:
        raise self.retry(countdown=1)
    time.sleep(seconds)
    ledger.append(id)
    return id
