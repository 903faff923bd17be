from __future__ import annotations

import json
from typing import Any

import pytest
from celery.backends.redis import RedisBackend

from monitoring_app import results
from monitoring_app.celery import app


class CountingRedis:
    """A Redis with one stored result; it counts the questions."""

    questions = 0

    def mget(self, keys: list[bytes]) -> list[str | None]:
        self.questions += 1
        stored = json.dumps({"status": "SUCCESS", "result": 42})
        return [stored if key == b"celery-task-meta-known" else None for key in keys]


def test_redis_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = RedisBackend(app=app, url="redis://unused.test")
    backend.client = CountingRedis()
    monkeypatch.setattr(app, "_local", type("Local", (), {"backend": backend})())
    assert results.read(["known", "unknown"]) == {
        "known": {"state": "SUCCESS", "result": 42, "error": None},
        "unknown": {"state": "PENDING", "result": None, "error": None},
    }
    assert backend.client.questions == 1


@pytest.mark.parametrize(
    ("state", "result", "expected"),
    [
        ("STARTED", {"pid": 1}, {"state": "STARTED", "result": None, "error": None}),
        ("SUCCESS", [1], {"state": "SUCCESS", "result": [1], "error": None}),
        (
            "FAILURE",
            ValueError("no such thing"),
            {"state": "FAILURE", "result": None, "error": "ValueError: no such thing"},
        ),
    ],
)
def test_states(state: str, result: Any, expected: dict[str, Any]) -> None:
    app.backend.store_result(f"task-{state}", result, state)
    assert results.read([f"task-{state}"]) == {f"task-{state}": expected}
