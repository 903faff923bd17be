"""What systemd hears of a worker, whose loop and timer are moved by hand here."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from celery import signals
from celery.bootsteps import CLOSE, RUN
from celery.concurrency.prefork import TaskPool as PreforkPool
from celery.concurrency.solo import TaskPool as SoloPool

from celeryops_runtime import _systemd
from celeryops_runtime._step import TEN_YEARS_USEC, SystemdStep, beat_started

RELAXED = [f"WATCHDOG_USEC={TEN_YEARS_USEC}", "WATCHDOG=1"]
TICK = ["WATCHDOG=1"]


class Entry:
    """A call that a timer owes."""

    def __init__(self, seconds: float, call: Callable[[], Any]) -> None:
        self.seconds = seconds
        self.call = call
        self.canceled = False

    def cancel(self) -> None:
        self.canceled = True


class Consumer:
    """What the step uses of a worker's consumer; it is its own blueprint and timer."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool.__new__(pool)
        self.blueprint = self.timer = self
        self.state = RUN
        self.steps: list[Any] = []
        self.owed: list[Callable[[], Any]] = []
        self.entries: list[Entry] = []

    def call_soon(self, call: Callable[..., Any], *args: Any) -> None:
        self.owed.append(lambda: call(*args))

    def call_after(self, seconds: float, call: Callable[..., Any], args: tuple[Any, ...]) -> Entry:
        self.entries.append(Entry(seconds, lambda: call(*args)))
        return self.entries[-1]

    def turn_loop(self) -> None:
        owed, self.owed = self.owed, []
        for call in owed:
            call()

    def fire_timer(self) -> None:
        entries, self.entries = self.entries, []
        for entry in entries:
            if not entry.canceled:
                entry.call()


@pytest.fixture(autouse=True)
def watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "9000000")
    monkeypatch.setenv("CELERYOPS_RELEASE", "1.0.0-1a2b3c4d")


def started(pool: type = PreforkPool) -> tuple[Consumer, SystemdStep]:
    """A consumer with the step in it, just before the first turn of its loop."""
    consumer = Consumer(pool)
    step = SystemdStep(consumer)
    assert step.include(consumer)
    step.start(consumer)
    return consumer, step


def test_ready_comes_with_the_first_turn_of_the_loop(systemd: Any) -> None:
    consumer, _ = started()
    suffix = "; prefork pool; release 1.0.0-1a2b3c4d"
    assert systemd.messages() == [[f"STATUS=connecting to the broker{suffix}"]]
    consumer.turn_loop()
    assert systemd.messages() == [
        ["READY=1", f"STATUS=consuming{suffix}", "WATCHDOG_USEC=9000000", "WATCHDOG=1"],
        TICK,
    ]


def test_only_a_loop_that_turns_ticks(systemd: Any) -> None:
    consumer, _ = started()
    consumer.turn_loop()
    assert consumer.entries[0].seconds == 3
    systemd.messages()

    consumer.fire_timer()
    consumer.fire_timer()
    assert systemd.messages() == []
    consumer.turn_loop()
    assert systemd.messages() == [TICK]
    consumer.fire_timer()
    consumer.turn_loop()
    assert systemd.messages() == [TICK]


def test_a_lost_broker_relaxes_the_watchdog_until_it_is_back(systemd: Any) -> None:
    consumer, step = started()
    consumer.turn_loop()
    systemd.messages()

    step.stop(consumer)
    consumer.fire_timer()
    consumer.turn_loop()
    status = "STATUS=broker lost, connecting again; prefork pool; release 1.0.0-1a2b3c4d"
    assert systemd.messages() == [[status, *RELAXED]]

    step.start(consumer)
    consumer.turn_loop()
    ready, tick = systemd.messages()
    assert ready[0] == "READY=1"
    assert "WATCHDOG_USEC=9000000" in ready
    assert tick == TICK


def test_a_tick_left_from_the_lost_connection_doubles_nothing(systemd: Any) -> None:
    consumer, step = started()
    consumer.turn_loop()
    consumer.fire_timer()
    step.stop(consumer)
    step.start(consumer)
    consumer.turn_loop()
    systemd.messages()

    consumer.fire_timer()
    consumer.turn_loop()
    assert systemd.messages() == [TICK]


def test_a_stop_relaxes_the_watchdog(systemd: Any) -> None:
    consumer, step = started()
    consumer.turn_loop()
    consumer.fire_timer()
    systemd.messages()

    consumer.state = CLOSE
    step.stop(consumer)
    consumer.turn_loop()
    consumer.fire_timer()
    status = "STATUS=stopping, tasks still running: 0; prefork pool; release 1.0.0-1a2b3c4d"
    assert systemd.messages() == [["STOPPING=1", status, *RELAXED]]


def test_a_stop_before_the_first_turn_is_never_ready(systemd: Any) -> None:
    consumer, step = started()
    systemd.messages()
    consumer.state = CLOSE
    step.stop(consumer)
    consumer.turn_loop()
    assert [message[0] for message in systemd.messages()] == ["STOPPING=1"]


def test_solo_is_not_watched(systemd: Any) -> None:
    consumer, _ = started(SoloPool)
    systemd.messages()
    consumer.turn_loop()
    status = "STATUS=consuming; solo pool; release 1.0.0-1a2b3c4d"
    assert systemd.messages() == [["READY=1", status, *RELAXED]]
    assert consumer.entries == []


def test_without_a_watchdog_nothing_ticks(systemd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC")
    monkeypatch.delenv("CELERYOPS_RELEASE")
    consumer, _ = started()
    systemd.messages()
    consumer.turn_loop()
    assert systemd.messages() == [["READY=1", "STATUS=consuming; prefork pool"]]
    assert consumer.entries == []


def test_without_systemd_there_is_no_step() -> None:
    consumer = Consumer(PreforkPool)
    assert not SystemdStep(consumer).include(consumer)
    assert consumer.steps == []


def test_only_the_main_process_is_heard(systemd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_systemd, "_MAIN_PID", os.getpid() + 1)
    _systemd.notify("READY=1")
    assert systemd.messages() == []


def test_a_socket_that_is_gone_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/none/notify")
    _systemd.notify("READY=1")
    assert "Could not tell systemd READY=1: " in caplog.text


def test_beat_is_ready_when_it_starts_to_tick(systemd: Any) -> None:
    signals.beat_init.connect(beat_started)
    try:
        signals.beat_init.send(sender=None)
    finally:
        signals.beat_init.disconnect(beat_started)
    assert systemd.messages() == [["READY=1", "STATUS=scheduling; release 1.0.0-1a2b3c4d"]]
