"""A heartbeat that can't be sent must not hold up the worker's loop."""

from __future__ import annotations

from typing import Any

import pytest
from celery.worker.heartbeat import Heart

from celeryops_runtime._heartbeat import send_heartbeats_once


class Dispatcher:
    """Notes the events that a Heart sends."""

    enabled = True

    def __init__(self) -> None:
        self.on_enabled: set[Any] = set()
        self.on_disabled: set[Any] = set()
        self.sent: list[tuple[str, bool]] = []

    def send(self, event: str, *, retry: bool, **_fields: Any) -> None:
        self.sent.append((event, retry))


class Timer:
    def call_repeatedly(self, _seconds: float, function: Any, arguments: tuple[str]) -> None:
        function(*arguments)


def test_heartbeats_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heart, "_send", Heart._send)
    send_heartbeats_once()
    dispatcher = Dispatcher()
    Heart(Timer(), dispatcher).start()
    assert dispatcher.sent == [("worker-online", False), ("worker-heartbeat", False)]
