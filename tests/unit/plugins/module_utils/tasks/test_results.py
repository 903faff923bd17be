# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results as Celery's own backends keep them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _results
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Backend
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._results import (
    Failures,
    Results,
    ended_at,
    failure_text,
    is_sent_mark,
    plain,
    readable,
    sent_at,
    unreadable,
)

pytest.importorskip("celery")

Store = Callable[..., None]


def test_read(results: Results, store: Store) -> None:
    store("good", {"n": 3}, "SUCCESS", name="shop.add", worker="cpu1@w1", queue="cpu", args=[1])
    store("bad", ValueError("broken"), "FAILURE")
    metas = results.read(["good", "bad", "never"])
    assert set(metas) == {"good", "bad"}
    assert metas["good"]["result"] == {"n": 3}
    assert (metas["good"]["name"], metas["good"]["worker"]) == ("shop.add", "cpu1@w1")
    assert failure_text(metas["bad"]) == "ValueError: broken"
    ended = ended_at(metas["bad"])
    assert ended is not None
    assert abs(ended - time.time()) < 60


def test_the_note_of_what_was_sent(results: Results, store: Store) -> None:
    assert results.mark_sent(["a", "b"], 1000.0) == ["a", "b"]
    assert results.mark_sent(["a", "c"], 2000.0) == ["c"]
    metas = results.read(["a", "b"])
    assert all(is_sent_mark(meta) for meta in metas.values())
    assert sent_at(metas["a"]) == 1000.0
    results.unmark(["b"])
    store("a", 5, "SUCCESS")
    assert list(results.read(["a", "b"])) == ["a"]
    assert not is_sent_mark(results.read(["a"])["a"])


def test_a_note_does_not_replace_a_result(results: Results, store: Store) -> None:
    store("a", 5, "FAILURE")
    assert results.mark_sent(["a"], 1000.0) == []
    assert results.read(["a"])["a"]["status"] == "FAILURE"


def test_await_ready(results: Results, store: Store) -> None:
    looked = []

    def enough(metas: dict[str, Any]) -> bool:
        looked.append(len(metas))
        if len(looked) == 2:
            store("a", 5, "SUCCESS")
        return "a" in metas

    assert results.await_ready(["a"], enough)["a"]["result"] == 5
    assert looked == [0, 0, 1]


def test_await_ready_ends_with_the_time(results: Results) -> None:
    over = Results(Backend("cache+memory://", "the file"), lambda: 0.0)
    assert over.await_ready(["a"], bool) == {}


def test_a_frozen_backend(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_results, "LAST_READING_SECONDS", 0.1)
    monkeypatch.setattr(_results, "_metas", lambda *_: time.sleep(3))
    frozen = Results(Backend("cache+memory://", "the file"), lambda: 0.2)
    started = time.monotonic()
    with pytest.raises(BrokerError, match=r"result backend at cache\+memory didn't answer"):
        frozen.read(["a"])
    assert time.monotonic() - started < 1.5


def test_a_backend_that_is_down() -> None:
    down = Results(Backend("redis://:hunter2@127.0.0.1:1/0", "the file"), lambda: 5.0)
    with pytest.raises(BrokerError, match=r"result backend can't be reached \(127\.0\.0\.1:1"):
        down.read(["a"])


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nosuch://h", "can't import the library"),
        ("mongodb://:hunter2@h/x", "can't import the library for the result backend|can't be used"),
        ("rediss://:hunter2@127.0.0.1:1/0", "can't be reached"),
        ("redis://:hun#ter2@h/0", "URL in the file isn't valid"),
    ],
)
def test_backends_that_cannot_be_used(url: str, sentence: str) -> None:
    with pytest.raises(CeleryOpsError, match=sentence) as caught:
        Results(Backend(url, "the file"), lambda: 5.0).read(["a"])
    assert "hunter2" not in str(caught.value)


def test_pickled_results_are_not_read(results: Results) -> None:
    results.read([])
    backend = results._backend
    backend.set(backend.get_key_for_task("a"), b"\x80\x04\x95cos\nsystem\n")
    with pytest.raises(CeleryOpsError, match="aren't JSON"):
        results.read(["a"])


@pytest.mark.parametrize(
    ("backend", "clause"),
    [
        (None, "no result backend is known"),
        (Backend("disabled://", "x"), "no result backend is known"),
        (Backend("rpc://", "x"), "rpc"),
    ],
)
def test_unreadable(backend: Backend | None, clause: str) -> None:
    assert clause in str(unreadable(backend))
    assert readable(backend, lambda: 1.0) is None


def test_readable() -> None:
    assert unreadable(Backend("redis://h", "x")) is None
    assert readable(Backend("redis://h", "x"), lambda: 1.0) is not None


class RedisBackend:
    """A backend with so much of Redis as listing needs."""

    task_keyprefix = b"shop[1]_celery-task-meta-"

    def __init__(self, metas: dict[str, dict[str, Any]]) -> None:
        self.client = self
        self.metas = metas
        self.patterns: list[bytes] = []

    def scan_iter(self, match: bytes, **_: int) -> Any:
        self.patterns.append(match)
        return iter([self.task_keyprefix + task_id.encode() for task_id in [*self.metas, "gone"]])

    def mget(self, keys: list[bytes]) -> list[Any]:
        return [self.metas.get(key[len(self.task_keyprefix) :].decode()) for key in keys]

    def decode_result(self, meta: dict[str, Any]) -> dict[str, Any]:
        return meta


NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


def meta(state: str, minutes: float) -> dict[str, Any]:
    return {"status": state, "date_done": (NOW - timedelta(minutes=minutes)).isoformat()}


def found(limit: int = 10, scan_limit: int = 100, until: float = 10**9) -> Failures:
    metas = {
        "old": meta("FAILURE", 61),
        "late": meta("FAILURE", 1),
        "early": meta("FAILURE", 59),
        "good": meta("SUCCESS", 1),
        "sent": {"status": "PENDING", "date_done": None},
    }
    backend = RedisBackend(metas)
    since = (NOW - timedelta(hours=1)).timestamp()
    failures = _results._failures(backend, since, limit, scan_limit, until)
    assert backend.patterns == [b"shop\\[1\\]_celery-task-meta-*"]
    return failures


def test_failures_in_redis() -> None:
    failures = found()
    assert list(failures.metas) == ["late", "early"]
    assert (failures.scanned, failures.complete) == (5, True)


@pytest.mark.parametrize(
    ("options", "ids", "scanned"),
    [
        ({"limit": 1}, ["late"], 5),
        ({"scan_limit": 1}, [], 1),
        ({"until": 0.0}, [], 1),
    ],
)
def test_failures_within_bounds(options: dict[str, Any], ids: list[str], scanned: int) -> None:
    failures = found(**options)
    assert list(failures.metas) == ids
    assert (failures.scanned, failures.complete) == (scanned, False)


def test_a_backend_that_cannot_list(results: Results) -> None:
    with pytest.raises(CeleryOpsError, match="kind CacheBackend can't list its results"):
        results.failures(0.0, 10, 10)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"exc_type": "KeyError", "exc_message": ["x", 2]}, "KeyError: x 2"),
        ({"exc_type": "Timeout", "exc_message": []}, "Timeout"),
        ({"exc_type": "E", "exc_message": ["password=hunter2 bad"]}, "E: password=*** bad"),
        ("plain", "plain"),
    ],
)
def test_failure_text(result: Any, text: str) -> None:
    assert failure_text({"result": result}) == text


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00.5", 60.5),
        (datetime(1970, 1, 1, 0, 1), 60.0),
        (None, None),
    ],
)
def test_ended_at(date: Any, seconds: float | None) -> None:
    assert ended_at({"date_done": date}) == seconds


def test_plain() -> None:
    value = {1: (NOW, {"x"}), "n": None, "b": True}
    assert plain(value) == {"1": [str(NOW), ["x"]], "n": None, "b": True}
