# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated fleet of workers, with a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call
from ansible_collections.celeryops.cluster.plugins.module_utils._commands import check_command
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import (
    SETTLING_SECONDS,
    Replies,
)

ROUND_TRIP = 0.01
NO_LIMITS = {"rate_limit": None, "soft_time_limit": None, "time_limit": None}


@dataclass
class Worker:
    """A worker as it looks from outside.

    Attributes:
        size: The processes that are there.
        oldest: The lowest of their ids; the oldest ones end first.
        consumed: The queues it consumes from.
        busy_until: When its last task ends; tasks end only by time.
        eta: Seconds from the start of the clock at which a held ETA task begins.
        starting: Processes that will be there at a time.
        silent_from: From when on it doesn't answer any more, nor act.
        lost: Commands after which it is silent, though it carries them out.
        stubborn: Commands that it confirms and doesn't carry out.
        refusing: The error that it answers, by command.
        running: The tasks that it runs all the time.
        door: Whether it has a queue of its own.
        canary: Seconds that a canary takes; None if it doesn't come back.
        live: What was set live for its pool.
        declared: The limits of each task by itself; None where it can't tell.
        waits: The waits of the tasks that came last, by queue.
    """

    size: int = 2
    oldest: int = 100
    kind: str = "prefork"
    consumed: list[str] = field(default_factory=lambda: ["default"])
    busy_until: float = 0.0
    eta: float | None = None
    autoscale: tuple[int, int] | None = None
    starting: list[tuple[float, int]] = field(default_factory=list)
    silent_from: float = float("inf")
    lost: set[str] = field(default_factory=set)
    stubborn: set[str] = field(default_factory=set)
    refusing: dict[str, str] = field(default_factory=dict)
    started: int = 0
    release: str | None = None
    duplicated: bool = False
    reserved: list[str] = field(default_factory=list)
    smallest: int = 10**6
    running: list[dict[str, Any]] = field(default_factory=list)
    hard_limit: float = 0.0
    registered: list[str] = field(default_factory=list)
    door: bool = False
    canary: float | None = 0.01
    live: dict[str, str] = field(default_factory=dict)
    waits: dict[str, Any] = field(default_factory=dict)
    queue_type: str | None = None
    conf: dict[str, Any] = field(default_factory=dict)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: bool | None = None
    events_locked: bool = False
    limits: dict[str, dict[str, Any]] = field(default_factory=dict)
    applies_time_limits: bool = True
    declared: dict[str, Any] | None = field(default_factory=lambda: dict(NO_LIMITS))

    def pids(self) -> list[int]:
        return list(range(self.oldest, self.oldest + self.size))


class Fleet:
    """The workers, and the client to speak with them."""

    def __init__(self, timeout: float = 10.0, **workers: Worker) -> None:
        self.workers = {f"{name}@w1": worker for name, worker in workers.items()}
        self.now = 0.0
        self.deadline = timeout
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.duplicates: list[str] = []
        self.broker_fails_from = float("inf")
        self.broker_fails_until = float("inf")
        self.sizes: dict[str, int | None] = {}
        self.canaries: dict[str, Any] = {}
        self.before_command: Callable[[str], None] = lambda _command: None
        self.connection: Any = SimpleNamespace(transport=SimpleNamespace(driver_type="redis"))

    def remaining(self) -> float:
        return max(0.0, self.deadline - self.now)

    @contextmanager
    def at_least(self, seconds: float) -> Iterator[None]:
        deadline = self.deadline
        self.deadline = max(deadline, self.now + seconds)
        yield
        self.deadline = deadline

    def wait(self, seconds: float) -> None:
        self.now += min(seconds, self.remaining())

    def call(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        nodes: Any = None,
        *,
        patience: float | None = None,
    ) -> Replies:
        return self.call_all([Call(command, arguments or {}, nodes)], patience=patience)[0]

    def call_all(
        self,
        calls: Sequence[Call],
        *,
        patience: float | None = None,
        grace: float = 0.0,
        settle: bool = False,
    ) -> list[Replies]:
        seconds = self.remaining() if patience is None else min(patience, self.remaining())
        replies = [self._reply(call) for call in calls]
        missing = any(reply.missing for reply in replies)
        if settle and all(reply.answers for reply in replies):
            seconds = min(seconds, SETTLING_SECONDS)
        elapsed = max(seconds if missing else ROUND_TRIP, grace)
        self.now += elapsed
        return [replace(reply, elapsed=elapsed) for reply in replies]

    def send_canaries(self, doors: Mapping[str, Any], *, patience: float) -> Replies:
        self.canaries = dict(doors)
        seconds = min(patience, self.remaining())
        back = {
            node: worker.canary
            for node, worker in self.workers.items()
            if node in doors and worker.canary is not None and worker.canary <= seconds
        }
        missing = sorted(set(doors) - set(back))
        self.now += seconds if missing else max(back.values(), default=0.0)
        return Replies({node: {} for node in back}, missing=missing, arrived=back)

    def run(self, step: Callable[[Any], Any]) -> Any:
        return step(self.connection)

    def queue_sizes(self, names: Any) -> dict[str, int | None]:
        return {name: self.sizes.get(name, 0) for name in names}

    def commands(self) -> list[str]:
        """The commands that change something, in the order of sending."""
        reading = {
            "ping",
            "stats",
            "active_queues",
            "active",
            "reserved",
            "scheduled",
            "celeryops",
            "celeryops_limits",
            "conf",
            "registered",
        }
        return [command for command, _node, _arguments in self.sent if command not in reading]

    def _reply(self, call: Call) -> Replies:
        check_command(call.command, call.arguments)
        self.before_command(call.command)
        if self.broker_fails_from <= self.now < self.broker_fails_until:
            raise BrokerError("The broker at b:6379 is gone.")
        expected = list(self.workers) if call.nodes is None else list(call.nodes)
        reached = list(self.workers) if not call.directed else expected
        answers: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for node in reached:
            worker = self.workers.get(node)
            if worker is None or self.now >= worker.silent_from:
                continue
            self.sent.append((call.command, node, dict(call.arguments)))
            if call.command in worker.refusing:
                errors[node] = worker.refusing[call.command]
                continue
            answer = self._answer(worker, call.command, dict(call.arguments))
            if call.command in worker.lost:
                worker.silent_from = self.now
                continue
            if worker.duplicated and node not in self.duplicates:
                self.duplicates.append(node)
            answers[node] = answer
        return Replies(
            answers,
            errors,
            missing=sorted(set(expected) - set(answers) - set(errors)),
            duplicates=sorted(set(self.duplicates) & set(answers)),
        )

    def _answer(self, worker: Worker, command: str, arguments: dict[str, Any]) -> Any:
        if command in worker.stubborn:
            return {"ok": "will do"}
        for moment, count in list(worker.starting):
            if self.now >= moment:
                worker.size += count
                worker.starting.remove((moment, count))
        if worker.eta is not None and self.now >= worker.eta:
            worker.busy_until, worker.eta = max(worker.busy_until, worker.eta + 1.0), None
        return getattr(self, f"_{command}")(worker, **arguments)

    def _ping(self, _worker: Worker) -> Any:
        return {"ok": "pong"}

    def _stats(self, worker: Worker) -> Any:
        module = {"threads": "thread"}.get(worker.kind, worker.kind)
        pool: dict[str, Any] = {"implementation": f"celery.concurrency.{module}:TaskPool"}
        if worker.kind in ("prefork", "solo"):
            pool |= {"max-concurrency": 99, "processes": worker.pids()}
        else:
            pool |= {"max-concurrency": worker.size}
        pool["timeouts"] = [0, worker.hard_limit]
        stats: dict[str, Any] = {"pool": pool, "total": {"nap": worker.started}}
        if worker.autoscale:
            stats["autoscaler"] = {"min": worker.autoscale[0], "max": worker.autoscale[1]}
        return stats

    def _active_queues(self, worker: Worker) -> Any:
        exchange = {"name": "x", "type": "direct"}
        arguments = {"x-queue-type": worker.queue_type} if worker.queue_type else None
        plain = {"exchange": exchange, "queue_arguments": arguments}
        own = {"name": "a.dq2", "routing_key": "a", "exchange": {"name": "celeryops.canary"}}
        return [
            {"name": name, "routing_key": name, **plain, **worker.definitions.get(name, {})}
            for name in worker.consumed
        ] + ([own] if worker.door else [])

    def _active(self, worker: Worker) -> Any:
        busy = [{"name": "nap", "time_start": None}] if self.now < worker.busy_until else []
        return [*busy, *worker.running]

    def _registered(self, worker: Worker, **_options: Any) -> Any:
        limited = []
        for name, limits in worker.limits.items():
            shown = " ".join(f"{key}={value}" for key, value in limits.items() if value is not None)
            limited.append(f"{name} [{shown}]" if shown else name)
        return [*worker.registered, *limited]

    def _reserved(self, worker: Worker) -> Any:
        return [
            {"name": "nap", "delivery_info": {"routing_key": queue}} for queue in worker.reserved
        ]

    def _scheduled(self, worker: Worker) -> Any:
        if worker.eta is None:
            return []
        start = datetime.now(timezone.utc) + timedelta(seconds=worker.eta - self.now)
        return [{"eta": start.isoformat(), "request": {}}, {"eta": None, "request": {}}]

    def _celeryops(self, worker: Worker) -> Any:
        return {
            "release": worker.release,
            "config": "c",
            "runtime": "1",
            "live": worker.live,
            "events": worker.events,
            "applies_time_limits": worker.applies_time_limits,
            "waits": worker.waits,
        }

    def _celeryops_limits(self, worker: Worker, **_options: Any) -> Any:
        return {"declared": worker.declared}

    def _pool_grow(self, worker: Worker, n: int) -> Any:
        worker.starting.append((self.now + 4.0, n))
        return {"ok": "pool will grow"}

    def _pool_shrink(self, worker: Worker, n: int) -> Any:
        assert self.now >= worker.busy_until, "shrunk while a task ran"
        assert not worker.consumed, "shrunk while it consumed"
        worker.size -= n
        worker.oldest += n
        worker.smallest = min(worker.smallest, worker.size)
        return {"ok": "pool will shrink"}

    def _autoscale(self, worker: Worker, max: int, min: int) -> Any:
        worker.autoscale = (min, max)
        if worker.size < min:
            worker.starting.append((self.now + 4.0, min - worker.size))
        if worker.size > max:
            assert not worker.consumed, "shrunk while it consumed"
            worker.size = max
        return {"ok": "autoscale now"}

    def _conf(self, worker: Worker) -> Any:
        return dict(worker.conf)

    def _enable_events(self, worker: Worker) -> Any:
        return self._switch(worker, True)

    def _disable_events(self, worker: Worker) -> Any:
        return self._switch(worker, False)

    def _switch(self, worker: Worker, on: bool) -> Any:
        word = "enabled" if on else "disabled"
        if worker.events_locked or worker.events is on:
            return {"ok": f"task events already {word}"}
        worker.events = on
        return {"ok": f"task events {word}"}

    def _rate_limit(self, worker: Worker, task_name: str, rate_limit: Any) -> Any:
        worker.limits[task_name]["rate_limit"] = rate_limit
        return {"ok": "new rate limit set successfully"}

    def _time_limit(self, worker: Worker, task_name: str, soft: Any, hard: Any) -> Any:
        worker.limits[task_name] |= {"soft_time_limit": soft, "time_limit": hard}
        return {"ok": "time limits set successfully"}

    def _cancel_consumer(self, worker: Worker, queue: str) -> Any:
        worker.consumed.remove(queue)
        return {"ok": "no longer consuming"}

    def _add_consumer(self, worker: Worker, queue: str, **options: Any) -> Any:
        if "exchange" in options and queue not in worker.consumed:
            exchange = {"name": options.pop("exchange"), "type": options.pop("exchange_type")}
            worker.definitions.setdefault(queue, {"exchange": exchange, **options})
        if queue not in worker.consumed:
            worker.consumed.append(queue)
        return {"ok": "add consumer"}


@pytest.fixture
def fleet() -> Callable[..., Fleet]:
    """Makes a fleet; the names of the workers lack their host, which is w1."""
    return Fleet


@pytest.fixture
def worker() -> type[Worker]:
    return Worker


@pytest.fixture
def cluster() -> Cluster:
    """An inventory of two hosts with workers and one without."""

    def node(name: str, pool: str, kind: str, queue: str, size: int) -> Node:
        return Node(name, name.partition("@")[2], pool, kind, (queue,), size, "1.0.0-a")

    nodes = [
        node("cpu1@w1", "cpu", "prefork", "default", 2),
        node("cpu2@w1", "cpu", "prefork", "default", 2),
        node("io1@w1", "io", "threads", "io", 8),
        node("cpu1@w2", "cpu", "prefork", "default", 2),
        node("one1@w2", "one", "solo", "one", 1),
    ]
    return Cluster(
        Broker("redis://:p%40@b:6379/0", "/etc/celeryops/shop/control.json"),
        app="shop",
        host="w1",
        nodes={n.name: n for n in nodes},
        beats=frozenset({"celerybeat@d1"}),
    )
