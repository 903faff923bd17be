"""Failures of tasks are reported where they are final, whatever ran them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from billiard.exceptions import Terminated
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Ignore, Reject, Retry, TimeLimitExceeded, WorkerLostError
from celery.worker import state
from celery.worker.request import Request

from celeryops_runtime._failures import EXCEPTION_LENGTH, report_failures

Start = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts the reporting; what is reported."""
    # Restored at the end; the originals do what a worker does.
    monkeypatch.setattr(Request, "on_failure", Request.on_failure)
    monkeypatch.setattr(Request, "on_timeout", Request.on_timeout)

    def start(*tasks: str) -> list[dict[str, Any]]:
        alerts: list[dict[str, Any]] = []
        report_failures("shop", tasks or ("*",), alerts.append)
        return alerts

    yield start


class Quiet(Request):
    """A request as the pool's callbacks see it, without a worker behind it."""

    name = "shop.pay"
    id = "1"
    hostname = "work1@host"

    def __init__(self) -> None:
        pass


@pytest.fixture
def request_(monkeypatch: pytest.MonkeyPatch) -> Quiet:
    monkeypatch.setattr(Request, "on_failure", lambda *_: "handled")
    monkeypatch.setattr(Request, "on_timeout", lambda *_: "handled")
    return Quiet()


def info_of(error: BaseException) -> Any:
    try:
        raise error
    except BaseException:
        return ExceptionInfo()


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_a_worker_reports_what_fails_for_good(pool: str, reported: Start) -> None:
    app = Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.broker_transport_options = {"polling_interval": 0.01}
    app.conf.worker_hijack_root_logger = False

    @app.task(name="shop.fail")
    def fail() -> None:
        raise ValueError("no money")

    @app.task(name="shop.retry", bind=True, max_retries=1)
    def retry(self: Any) -> None:
        raise self.retry(exc=ValueError("again"), countdown=0)

    @app.task(name="shop.work")
    def work() -> None: ...

    alerts = reported()
    # The worker sets the root logger's level: to what it is anyway.
    with start_worker(app, pool=pool, loglevel="WARNING", perform_ping_check=False) as worker:
        for task in (work, fail, retry):
            task.delay().get(timeout=60, propagate=False)
        app.control.shutdown([worker.hostname])
    assert [(found["event"], found["task"]) for found in alerts] == [
        ("task-failed", "shop.fail"),
        ("task-failed", "shop.retry"),
    ]
    assert alerts[0]["exception"] == "ValueError('no money')"
    assert alerts[0]["traceback"].rstrip().endswith("ValueError: no money")
    assert alerts[0]["text"] == (
        f"shop: task shop.fail on {alerts[0]['node']} failed: ValueError('no money')"
    )


@pytest.mark.parametrize("error", [WorkerLostError("signal 9"), SystemExit(1), KeyboardInterrupt()])
def test_a_lost_process(error: BaseException, request_: Quiet, reported: Start) -> None:
    alerts = reported()
    assert request_.on_failure(info_of(error)) == "handled"
    assert alerts[0]["event"] == "worker-lost"
    assert alerts[0]["text"].startswith("shop: a process was lost under task shop.pay on work1@")


def test_a_hard_limit_is_reported_once(request_: Quiet, reported: Start) -> None:
    alerts = reported()
    request_.on_failure(info_of(TimeLimitExceeded(5)))
    request_.on_timeout(soft=False, timeout=5)
    assert [found["exception"] for found in alerts] == ["TimeLimitExceeded(5)"]


def test_a_soft_limit_is_no_failure_yet(request_: Quiet, reported: Start) -> None:
    alerts = reported()
    assert request_.on_timeout(soft=True, timeout=5) == "handled"
    assert alerts == []


@pytest.mark.parametrize("error", [Ignore(), Reject(), Retry(), Terminated(15)])
def test_what_is_no_failure(error: BaseException, request_: Quiet, reported: Start) -> None:
    alerts = reported()
    request_.on_failure(info_of(error))
    assert alerts == []


def test_a_revoked_task_is_no_failure(request_: Quiet, reported: Start) -> None:
    alerts = reported()
    request_._already_revoked = True
    request_.on_failure(info_of(SystemExit(1)))
    assert alerts == []


def test_a_cold_stop_is_no_failure(
    request_: Quiet, reported: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = reported()
    monkeypatch.setattr(state, "should_terminate", 0)
    request_.on_failure(info_of(WorkerLostError("signal 15")))
    assert len(alerts) == 1
    monkeypatch.setattr(state, "should_terminate", 1)
    request_.on_failure(info_of(WorkerLostError("signal 15")))
    assert len(alerts) == 1


def test_only_wanted_tasks(request_: Quiet, reported: Start) -> None:
    alerts = reported("other.*", "shop.p?y")
    request_.on_failure(info_of(ValueError("x")))
    request_.name = "shop.ship"
    request_.on_failure(info_of(ValueError("x")))
    assert [found["task"] for found in alerts] == ["shop.pay"]


def test_a_long_exception_is_cut(request_: Quiet, reported: Start) -> None:
    alerts = reported()
    request_.on_failure(info_of(ValueError("x" * 5000)))
    assert len(alerts[0]["exception"]) == EXCEPTION_LENGTH
