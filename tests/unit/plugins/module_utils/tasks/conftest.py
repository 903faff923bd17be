# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client whose nodes answer by a script, and a result backend in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _results
from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Backend
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies
from ansible_collections.celeryops.cluster.plugins.module_utils._results import Results

READING = {"active", "active_queues", "celeryops_route", "ping", "query_task", "registered"} | {
    "revoked",
    "stats",
}


class Script:
    """Nodes that answer what a function says: `say(node, command, arguments)`.

    None is silence, and a ValueError that it raises is an error of the node.
    """

    duplicates: tuple[str, ...] = ()

    def __init__(self, say: Callable[[str, str, Mapping[str, Any]], Any], **sizes: int) -> None:
        self._say = say
        self._sizes = sizes
        self.sent: list[tuple[str, str, dict[str, Any], bool]] = []
        self.connection: Any = None
        self.broken = False
        self.seconds = 10.0

    def call(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        nodes: Collection[str] | None = None,
        **_: Any,
    ) -> Replies:
        return self.call_all([Call(command, arguments or {}, nodes)])[0]

    def call_all(self, calls: Sequence[Call], **_: Any) -> list[Replies]:
        return [self._reply(call) for call in calls]

    def queue_sizes(self, names: Collection[str]) -> dict[str, int | None]:
        return {name: self._sizes.get(name) for name in names}

    def remaining(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds = max(0.0, self.seconds - seconds)

    @contextmanager
    def at_least(self, seconds: float) -> Iterator[None]:
        before, self.seconds = self.seconds, max(self.seconds, seconds)
        yield
        self.seconds = before

    def run(self, step: Callable[[Any], Any]) -> Any:
        if self.broken:
            raise BrokerError("The broker at b:6379 is gone.")
        return step(self.connection)

    def commands(self) -> list[str]:
        """Those that change something."""
        return [command for _node, command, _arguments, _ in self.sent if command not in READING]

    def _reply(self, call: Call) -> Replies:
        replies = Replies()
        for node in call.nodes or ():
            self.sent.append((node, call.command, dict(call.arguments), call.directed))
            try:
                answer = self._say(node, call.command, call.arguments)
            except ValueError as error:
                replies.errors[node] = str(error)
                continue
            if answer is None:
                replies.missing.append(node)
            else:
                replies.answers[node] = answer
        return replies


@pytest.fixture
def script() -> type[Script]:
    return Script


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Results:
    """Results in memory, emptied."""
    from celery.backends import cache

    monkeypatch.setattr(cache, "_DUMMY_CLIENT_CACHE", cache.LRUCache(limit=5000))
    monkeypatch.setattr(_results, "POLL_INTERVAL", 0.01)
    return Results(Backend("cache+memory://", "the file"), lambda: 5.0)


@pytest.fixture
def store(results: Results) -> Callable[..., None]:
    """Writes a result as a worker does."""

    def write(task_id: str, result: Any, state: str, **fields: Any) -> None:
        from types import SimpleNamespace

        request = SimpleNamespace(
            task=fields.get("name"),
            args=fields.get("args"),
            kwargs=fields.get("kwargs"),
            hostname=fields.get("worker"),
            retries=0,
            delivery_info={"routing_key": fields.get("queue")},
        )
        results.read([])
        results._backend.store_result(task_id, result, state, request=request if fields else None)

    return write
