"""Tells systemd when a worker or beat really works."""

from __future__ import annotations

import os
from typing import Any

from celery.bootsteps import RUN, StartStopStep
from celery.concurrency.solo import TaskPool as SoloPool
from celery.worker import state

from celeryops_runtime._systemd import notify, wanted, watchdog_usec

# systemd takes no "off" from a running service.
TEN_YEARS_USEC = 10 * 365 * 24 * 3600 * 1_000_000


class SystemdStep(StartStopStep):
    """The consumer's part in a service of Type=notify.

    The watchdog proves that the consumer's loop turns. It is relaxed whenever the loop stands still
    for a good reason: a lost broker (the worker then retries outside the loop), a stop that waits
    for running tasks, and always with the solo pool, which runs its tasks in the loop.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)
    label = "systemd"

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.timer: Any = None

    def include_if(self, _consumer: Any) -> bool:
        return wanted()

    def create(self, consumer: Any) -> None:
        notify(_status("connecting to the broker", consumer))

    def start(self, consumer: Any) -> None:
        # Steps start once per connection, before the loop; its first turn makes this call.
        consumer.call_soon(self.ready, consumer)

    def ready(self, consumer: Any) -> None:
        # After a stop before its first turn, the closing loop still makes the calls it owes.
        if consumer.blueprint.state != RUN:
            return
        limit = watchdog_usec() if _watched(consumer) else TEN_YEARS_USEC
        notify("READY=1", _status("consuming", consumer), *_watchdog(limit))
        if _watched(consumer):
            self.tick(consumer)

    def tick(self, consumer: Any) -> None:
        """Give a sign of life and have the loop give the next one."""
        if consumer.blueprint.state != RUN:
            return
        notify("WATCHDOG=1")
        self.cancel_timer()
        # The timer may tick in a thread or greenlet of its own: only the loop's turn proves it.
        self.timer = consumer.timer.call_after(
            watchdog_usec() / 1_000_000 / 3, consumer.call_soon, (self.tick, consumer)
        )

    def stop(self, consumer: Any) -> None:
        self.cancel_timer()
        if consumer.blueprint.state == RUN:
            news = [_status("broker lost, connecting again", consumer)]
        else:
            running = len(state.active_requests)
            news = ["STOPPING=1", _status(f"stopping, tasks still running: {running}", consumer)]
        notify(*news, *_watchdog(TEN_YEARS_USEC))

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def beat_started(**_: Any) -> None:
    """Tell systemd that beat has read its schedule and begins to tick."""
    notify("READY=1", f"STATUS=scheduling{_release()}")


def _watched(consumer: Any) -> bool:
    return watchdog_usec() > 0 and not isinstance(consumer.pool, SoloPool)


def _watchdog(limit: int) -> list[str]:
    """The assignments that give the next sign of life `limit` microseconds."""
    return [f"WATCHDOG_USEC={limit}", "WATCHDOG=1"] if watchdog_usec() else []


def _status(doing: str, consumer: Any) -> str:
    pool = type(consumer.pool).__module__.rpartition(".")[2]
    return f"STATUS={doing}; {pool} pool{_release()}"


def _release() -> str:
    release = os.environ.get("CELERYOPS_RELEASE")
    return f"; release {release}" if release else ""
