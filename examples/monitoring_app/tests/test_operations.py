from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from celery.exceptions import Retry

from monitoring_app import ledger
from monitoring_app.tasks.operations import OperationError, risky_operation, work


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_it_succeeds_after_so_many_failures(failures: int) -> None:
    outcome = risky_operation.apply((failures, "r1")).get()
    assert outcome == {"id": "r1", "attempts": failures + 1}


def test_it_fails_for_good_after_three_retries() -> None:
    result = risky_operation.apply((4, "r2"))
    assert result.state == "FAILURE"
    with pytest.raises(OperationError, match="operation r2 failed at attempt 4"):
        result.get()


def test_the_pauses_double(configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    def retry(*, exc: Exception, countdown: float) -> Retry:
        pauses.append(countdown)
        return Retry(exc=exc)

    configure(retry_base="0.5")
    monkeypatch.setattr(risky_operation, "retry", retry)
    for retries in range(3):
        risky_operation.push_request(retries=retries)
        try:
            with pytest.raises(Retry):
                risky_operation.run(failures=3, id="r3")
        finally:
            risky_operation.pop_request()
    assert pauses == [0.5, 1.0, 2.0]


@pytest.mark.usefixtures("redis_lists")
def test_work_is_written_down_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        assert seconds == 7
        assert ledger.read() == []

    monkeypatch.setattr(time, "sleep", sleep)
    assert work(7, "w1") == "w1"
    assert ledger.read() == ["w1"]


@pytest.mark.usefixtures("redis_lists")
def test_work_that_is_retried_is_written_down_once() -> None:
    assert work.apply((0, "w2", 2)).get() == "w2"
    assert ledger.read() == ["w2"]
