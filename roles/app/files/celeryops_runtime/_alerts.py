"""Alerts: when one is sent, and that nothing waits for it."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from celeryops_runtime import SetupError
from celeryops_runtime._delivery import Channel, Mail, Webhook

logger = logging.getLogger(__name__)

# Seconds before the second and the third try.
PAUSES = (2.0, 8.0)
# Alerts that wait for a slow channel; what comes beyond is counted.
WAITING = 100


@dataclass(frozen=True)
class AlertSettings:
    """What CELERYOPS_ALERTS says; `tasks` are globs of the names of tasks."""

    app: str
    channels: tuple[Channel, ...]
    tasks: tuple[str, ...]
    per_minute: float
    timeout: float


def read_alerts(environ: Mapping[str, str]) -> AlertSettings | None:
    """The settings in the JSON file that CELERYOPS_ALERTS names, if there is one.

    Raises SetupError.
    """
    path = Path(environ.get("CELERYOPS_ALERTS") or os.devnull)
    if not path.is_file():
        return None
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        channels: list[Channel] = [Webhook(**given["webhook"])] if given.get("webhook") else []
        channels += [Mail(**given["mail"])] if given.get("mail") else []
        return AlertSettings(
            app=given["app"],
            channels=tuple(channels),
            tasks=tuple(given.get("tasks") or ["*"]),
            per_minute=float(given.get("per_minute", 10)),
            timeout=float(given.get("timeout", 10)),
        )
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError) as error:
        # The message of these may quote what stands in the file: a password, for one.
        raise SetupError(
            f"{path} holds no settings of alerts ({type(error).__name__}): "
            "correct celery_worker_alerts."
        ) from None


def alert(event: str, app: str, text: str, **details: Any) -> dict[str, Any]:
    """An alert as it is sent."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"event": event, "text": f"{app}: {text}", "app": app, "time": now, **details}


def deliver(channel: Channel, content: Mapping[str, Any], timeout: float) -> bool:
    """Try once; what went wrong is logged."""
    try:
        channel.send(content, timeout)
    except Exception as error:
        logger.warning("An alert could not be sent by %s: %s", channel.name, _reason(error))
        return False
    return True


class Sender:
    """Sends alerts from a thread of its own, so many a minute, and counts what it leaves out."""

    def __init__(
        self,
        settings: AlertSettings,
        pauses: Sequence[float] = PAUSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._pauses = pauses
        self._clock = clock
        self._allowed = settings.per_minute
        self._counted_at = clock()
        self._unreported = 0
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(WAITING)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def send(self, content: dict[str, Any]) -> None:
        """Take an alert; this never waits."""
        with self._lock:
            if not self._may_send():
                self._unreported += 1
                return
            if self._unreported:
                content = {**content, "unreported": self._unreported}
            try:
                self._waiting.put_nowait(content)
            except queue.Full:
                self._unreported += 1
                return
            self._unreported = 0
            if self._thread is None:
                # Not before it is needed: pool processes are forked from this one.
                self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
                self._thread.start()

    def close(self, seconds: float) -> None:
        """Give what waits at most so many seconds; nothing is tried twice any more."""
        self._closing.set()
        if self._thread is not None:
            try:
                self._waiting.put_nowait(None)
            except queue.Full:
                return
            self._thread.join(seconds)

    def _may_send(self) -> bool:
        now = self._clock()
        earned = (now - self._counted_at) * self._settings.per_minute / 60
        self._allowed = min(self._settings.per_minute, self._allowed + earned)
        self._counted_at = now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True

    def _work(self) -> None:
        while (content := self._waiting.get()) is not None:
            for channel in self._settings.channels:
                self._deliver(channel, content)

    def _deliver(self, channel: Channel, content: Mapping[str, Any]) -> None:
        for pause in (*self._pauses, None):
            if deliver(channel, content, self._settings.timeout) or pause is None:
                return
            self._closing.wait(pause)
            if self._closing.is_set():
                return


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"it answered {error.code}"
    # Others than these may quote the address, which can hold a token.
    return str(error) if isinstance(error, OSError) else type(error).__name__
