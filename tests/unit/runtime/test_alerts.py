"""Alerts are limited, tried again, counted where they are left out, and waited for by nobody."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from celeryops_runtime import SetupError
from celeryops_runtime._alerts import WAITING, AlertSettings, Sender, alert, read_alerts
from celeryops_runtime._delivery import Mail, Webhook

LIMIT = 60  # seconds, for broken code; nothing waits that long


class Recorder:
    """A channel that notes what it is given; it fails `failures` times before."""

    name = "recorder"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.tries = 0
        self.alerts: list[Mapping[str, Any]] = []
        self.open = threading.Event()
        self.open.set()

    def send(self, alert: Mapping[str, Any], timeout: float) -> None:  # noqa: ARG002
        assert self.open.wait(LIMIT)
        self.tries += 1
        if self.tries <= self.failures:
            raise ConnectionError("refused")
        self.alerts.append(alert)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def sender(recorder: Recorder, clock: Clock | None = None, per_minute: float = 2) -> Sender:
    settings = AlertSettings("shop", (recorder,), ("*",), per_minute, 1)
    return Sender(settings, pauses=(0, 0), clock=clock or Clock())


def test_an_alert_arrives() -> None:
    recorder = Recorder()
    sending = sender(recorder)
    sending.send(alert("task-failed", "shop", "task pay failed", task="pay"))
    sending.close(LIMIT)
    [found] = recorder.alerts
    assert found["text"] == "shop: task pay failed"
    assert found["task"] == "pay"
    assert found["time"].endswith("+00:00")


def test_a_channel_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(failures=2)
    sending = sender(recorder)
    recorded = threading.Event()
    recorder.alerts = Notifying(recorded)
    sending.send({"text": "one"})
    assert recorded.wait(LIMIT)
    sending.close(LIMIT)
    assert recorder.alerts == [{"text": "one"}]
    assert "An alert could not be sent by recorder: refused" in caplog.text


class Notifying(list[Any]):
    """A list that tells when it gets its first entry."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def append(self, entry: Any) -> None:
        super().append(entry)
        self._event.set()


def test_a_channel_that_keeps_failing_is_given_up() -> None:
    recorder = Recorder(failures=3)
    recorded = threading.Event()
    recorder.alerts = Notifying(recorded)
    sending = sender(recorder)
    sending.send({"text": "one"})
    sending.send({"text": "two"})
    assert recorded.wait(LIMIT)
    assert (recorder.tries, recorder.alerts) == (4, [{"text": "two"}])
    sending.close(LIMIT)


def test_what_exceeds_the_rate_is_counted() -> None:
    recorder, clock = Recorder(), Clock()
    sending = sender(recorder, clock)
    for number in range(5):
        sending.send({"text": str(number)})
    clock.now += 30
    sending.send({"text": "later"})
    clock.now += 30
    sending.send({"text": "last"})
    sending.close(LIMIT)
    assert recorder.alerts == [
        {"text": "0"},
        {"text": "1"},
        {"text": "later", "unreported": 3},
        {"text": "last"},
    ]


def test_no_rate_is_saved_up_beyond_a_minute() -> None:
    recorder, clock = Recorder(), Clock()
    sending = sender(recorder, clock)
    clock.now += 3600
    for number in range(5):
        sending.send({"text": str(number)})
    sending.close(LIMIT)
    assert len(recorder.alerts) == 2


def test_a_channel_that_hangs_holds_up_nobody() -> None:
    recorder = Recorder()
    recorder.open.clear()
    sending = sender(recorder, per_minute=1000)
    for number in range(WAITING + 50):
        sending.send({"text": str(number)})
    sending.close(0.01)
    recorder.open.set()


def test_without_an_alert_there_is_no_thread() -> None:
    before = threading.active_count()
    sender(Recorder()).close(LIMIT)
    assert threading.active_count() == before


def test_settings(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    path.write_text(
        json.dumps(
            {
                "app": "shop",
                "webhook": {"url": "https://chat/hook", "headers": {"Authorization": "x"}},
                "mail": {"host": "mail", "sender": "a@b", "recipients": ["c@d"]},
                "tasks": ["shop.*"],
            }
        ),
        encoding="utf-8",
    )
    settings = read_alerts({"CELERYOPS_ALERTS": str(path)})
    assert settings is not None
    assert settings.channels == (
        Webhook("https://chat/hook", {"Authorization": "x"}),
        Mail("mail", "a@b", ["c@d"]),
    )
    assert (settings.tasks, settings.per_minute, settings.timeout) == (("shop.*",), 10, 10)


@pytest.mark.parametrize(
    "content",
    ["{", '{"webhook": {"url": "http://x"}}', '{"app": "shop", "mail": {"pasword": "secret"}}'],
)
def test_mistakes_in_the_settings_show_no_secret(content: str, tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SetupError, match="correct celery_worker_alerts") as caught:
        read_alerts({"CELERYOPS_ALERTS": str(path)})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("environ", [{}, {"CELERYOPS_ALERTS": "/none/alerts.json"}])
def test_no_settings_are_no_alerts(environ: dict[str, str]) -> None:
    assert read_alerts(environ) is None
