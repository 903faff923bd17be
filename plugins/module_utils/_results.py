# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Reading the results of tasks where Celery keeps them, within a deadline.

Celery's own classes for result backends are used, by an app that has no code. Only JSON is read:
to read a pickled result would be to run what its writer wants.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from typing import Any, TypeVar

from ansible_collections.celeryops.cluster.plugins.module_utils._broker import (
    explain,
    no_answer,
    reachable,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    CONNECT_SECONDS,
    in_thread,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Backend
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import (
    hide_passwords,
    hide_secrets,
)

T = TypeVar("T")
Meta = dict[str, Any]

READY = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
POLL_INTERVAL = 0.1
# By how much a reading may overrun the time-out.
LAST_READING_SECONDS = 1.0
# How many results are fetched at once while all are looked through.
_BATCH = 500
# A mark of this module: the task was sent, and no worker has written anything yet.
_SENT = "celeryops_sent"
# Why the results of some backends can't be read here, as clauses.
_RPC = (
    "the result backend is rpc, whose results only the sender of a task can read (set another one "
    "by `celery_backend_url`)"
)
_NONE = (
    "no result backend is known (set `celery_backend_url`, or give `result_backend` beside "
    "`broker_url`)"
)


@dataclass
class Failures:
    """The failed tasks that were found.

    Attributes:
        metas: What the backend holds about them by id, the latest failure first.
        scanned: How many results were looked at.
        complete: Whether these were all.
    """

    metas: dict[str, Meta] = field(default_factory=dict)
    scanned: int = 0
    complete: bool = True


class Results:
    """The results in a backend. Connected when they are first needed."""

    def __init__(self, backend: Backend, remaining: Callable[[], float]) -> None:
        """Connect to nothing yet.

        Args:
            backend: Where the results are.
            remaining: Seconds that are left for everything.
        """
        self._place = backend
        self._remaining = remaining
        self._connect: Callable[[], Any] | None = None
        self._backend: Any = None

    def read(self, ids: Collection[str]) -> dict[str, Meta]:
        """What the backend holds about tasks, by id; those of which it holds nothing are left out.

        Raises:
            CeleryOpsError: The backend can't be reached, fails, or holds what can't be read.
        """
        return self._bounded(lambda backend: _metas(backend, ids))

    def await_ready(
        self, ids: Collection[str], enough: Callable[[dict[str, Meta]], bool]
    ) -> dict[str, Meta]:
        """What the backend holds about tasks once that is enough, or when the time is over."""
        while True:
            metas = self.read(ids)
            if enough(metas) or self._remaining() <= 0:
                return metas
            time.sleep(min(POLL_INTERVAL, self._remaining()))

    def mark_sent(self, ids: Collection[str], now: float) -> list[str]:
        """Note that tasks are about to be sent, where nothing is known of them.

        Returns:
            The ids of which it was noted.
        """

        def mark(backend: Any) -> list[str]:
            known = _metas(backend, ids)
            unknown = [task_id for task_id in ids if task_id not in known]
            for task_id in unknown:
                backend.store_result(task_id, {_SENT: now}, "PENDING")
            return unknown

        return self._bounded(mark)

    def unmark(self, ids: Collection[str]) -> None:
        """Take the notes back."""

        def unmark(backend: Any) -> None:
            for task_id in ids:
                backend.forget(task_id)

        self._bounded(unmark)

    def failures(self, since: float, limit: int, scan_limit: int) -> Failures:
        """The tasks that failed lately.

        Args:
            since: The time from which on a failure counts, in seconds since the epoch.
            limit: How many are returned, the latest ones.
            scan_limit: How many results are looked at.

        Raises:
            CeleryOpsError: The backend can't list its results, can't be reached or fails.
        """
        until = time.monotonic() + self._remaining() * 0.9
        return self._bounded(
            lambda backend: _failures(backend, since, limit, scan_limit, until), self._remaining()
        )

    def _bounded(self, step: Callable[[Any], T], seconds: float = CONNECT_SECONDS) -> T:
        """Run a step for at most some seconds; a frozen backend must not hold it up."""
        try:
            if self._connect is None:
                self._connect = _connector(self._place)
            seconds = max(LAST_READING_SECONDS, min(seconds, self._remaining()))
            future = in_thread(lambda: step(self._connected()), seconds)
            if not future.done():
                # What the thread still does with its connection must not meet a further step.
                self._backend = None
                raise no_answer(self._place, seconds)
            return future.result()
        except CeleryOpsError:
            raise
        except ImportError as error:
            raise CeleryOpsError(
                f"{sys.executable} can't import the library for the result backend ({error}): "
                "install it there, for example celery[redis] or celery[sqlalchemy], or correct the "
                f"URL in {self._place.origin}."
            ) from error
        except Exception as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> CeleryOpsError:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & {"DecodeError", "ContentDisallowed", "UnicodeDecodeError", "JSONDecodeError"}:
            return CeleryOpsError(
                "The results aren't JSON, and nothing else is read here: "
                "set `result_serializer: json` in celery_settings."
            )
        if kinds & {"ImproperlyConfigured", "ValueError"}:
            text = " ".join(hide_passwords(str(error)).split())
            return CeleryOpsError(
                f"The result backend in {self._place.origin} can't be used ({text.rstrip('.')}): "
                "correct its URL or its options."
            )
        return explain(error, self._place)

    def _connected(self) -> Any:
        if self._backend is None and self._connect is not None:
            seconds = min(CONNECT_SECONDS, max(LAST_READING_SECONDS, self._remaining()))
            next(reachable(self._place, seconds), None)
            self._backend = self._connect()
        return self._backend


def unreadable(backend: Backend | None) -> str | None:
    """Why the results can't be read, as a clause; None where they can."""
    scheme = backend.url.partition("://")[0] if backend else ""
    if scheme in ("", "disabled"):
        return _NONE
    return _RPC if scheme == "rpc" else None


def readable(backend: Backend | None, remaining: Callable[[], float]) -> Results | None:
    """The results of a backend; None where they can't be read."""
    return None if backend is None or unreadable(backend) else Results(backend, remaining)


def is_sent_mark(meta: Mapping[str, Any]) -> bool:
    """Whether nothing but the note of `mark_sent` is known."""
    return sent_at(meta) is not None and meta["status"] == "PENDING"


def sent_at(meta: Mapping[str, Any]) -> float | None:
    """When a task was sent, by the note of `mark_sent`."""
    result = meta.get("result")
    return result.get(_SENT) if isinstance(result, Mapping) else None


def failure_text(meta: Mapping[str, Any]) -> str:
    """The exception of a failed or revoked task in a line, without secrets."""
    result = meta.get("result")
    if not isinstance(result, Mapping) or "exc_type" not in result:
        return str(hide_secrets(str(result)))
    message = result.get("exc_message") or ""
    if isinstance(message, (list, tuple)):
        message = " ".join(str(part) for part in message)
    return f"{result['exc_type']}: {hide_secrets(str(message))}".rstrip(": ")


def plain(value: Any) -> Any:
    """A value of which nothing is left but what JSON has; Celery's own makes dates and the like."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def ended_at(meta: Mapping[str, Any]) -> float | None:
    """When a task ended, in seconds since the epoch."""
    moment = meta.get("date_done")
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if not isinstance(moment, datetime):
        return None
    # Celery writes UTC, in older versions without saying so.
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _connector(place: Backend) -> Callable[[], Any]:
    """What connects to a backend, with its libraries imported: that time isn't the server's."""
    from celery import Celery
    from celery.app.backends import by_url

    app = Celery("celeryops", set_as_current=False)
    app.conf.update(
        # A database is read with the columns of extended results.
        result_extended=True,
        result_serializer="json",
        result_accept_content=["json"],
        result_backend_transport_options=dict(place.options),
        redis_socket_timeout=CONNECT_SECONDS,
        redis_socket_connect_timeout=CONNECT_SECONDS,
    )
    # Not by the app's setting, which a variable of the environment would replace.
    kind, url = by_url(place.url, app.loader)

    def connect() -> Any:
        backend = kind(app=app, url=url)
        # Without it, a stored exception becomes an object of its class.
        backend.exception_to_python = lambda error: error
        return backend

    return connect


def _metas(backend: Any, ids: Collection[str]) -> dict[str, Meta]:
    metas = {task_id: backend.get_task_meta(task_id, cache=False) for task_id in ids}
    return {task_id: meta for task_id, meta in metas.items() if _is_known(meta)}


def _is_known(meta: Meta) -> bool:
    return meta["status"] != "PENDING" or is_sent_mark(meta)


def _failures(backend: Any, since: float, limit: int, scan_limit: int, until: float) -> Failures:
    found = Failures()
    recent: dict[str, tuple[float, Meta]] = {}
    metas = _all_metas(backend, since)
    for task_id, meta in islice(metas, scan_limit):
        found.scanned += 1
        ended = ended_at(meta)
        if meta["status"] == "FAILURE" and ended is not None and ended >= since:
            recent[task_id] = (ended, meta)
        if time.monotonic() > until:
            break
    found.complete = next(metas, None) is None
    latest = sorted(recent, key=lambda task_id: recent[task_id][0], reverse=True)
    found.complete = found.complete and len(latest) <= limit
    found.metas = {task_id: recent[task_id][1] for task_id in latest[:limit]}
    return found


def _all_metas(backend: Any, since: float) -> Iterator[tuple[str, Meta]]:
    """All results that a backend holds, or at least the failures since a time."""
    kinds = {kind.__name__ for kind in type(backend).__mro__}
    if "RedisBackend" in kinds:
        return _redis_metas(backend)
    if "DatabaseBackend" in kinds:
        return _database_metas(backend, since)
    raise CeleryOpsError(
        f"A result backend of kind {type(backend).__name__} can't list its results: "
        "give the `ids` of the tasks instead of `failed_since`."
    )


def _redis_metas(backend: Any) -> Iterator[tuple[str, Meta]]:
    prefix = bytes(backend.task_keyprefix)
    pattern = re.sub(rb"([*?\[\]\\^])", rb"\\\1", prefix) + b"*"
    keys = backend.client.scan_iter(match=pattern, count=_BATCH)
    while batch := list(islice(keys, _BATCH)):
        for key, payload in zip(batch, backend.client.mget(batch), strict=True):
            # It may have expired since.
            if payload is not None:
                yield key[len(prefix) :].decode(), backend.decode_result(payload)


def _database_metas(backend: Any, since: float) -> Iterator[tuple[str, Meta]]:
    table = backend.task_cls
    moment = datetime.fromtimestamp(since, timezone.utc).replace(tzinfo=None)
    session = backend.ResultSession()
    try:
        rows = (
            session.query(table.task_id)
            .filter(table.status == "FAILURE", table.date_done >= moment)
            .order_by(table.date_done.desc())
        )
        ids = [row[0] for row in rows.yield_per(_BATCH)]
    finally:
        session.close()
    for task_id in ids:
        yield task_id, backend.get_task_meta(task_id, cache=False)
