"""The event source for ansible-rulebook, with a real broker and a real worker."""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import (
    Brokers,
    Transport,
    workers,
)

SOURCE = Path(__file__).parents[3] / "extensions/eda/plugins/event_source/celery.py"
# Seconds until an event must have come, on a machine that is very busy.
PATIENCE = 90


class Told:
    """The events so far, and those to come."""

    def __init__(self, queue: asyncio.Queue[dict[str, Any]]) -> None:
        self._queue = queue
        self.types: list[str] = []

    async def until(self, kind: str, meanwhile: Callable[[], object] = int) -> dict[str, Any]:
        """Wait for an event; what is to be done meanwhile is done again and again."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await asyncio.to_thread(meanwhile)
                try:
                    event = await asyncio.wait_for(self._queue.get(), 1)
                except TimeoutError:
                    continue
                self.types.append(event["type"])
                if event["type"] == kind:
                    return event


@pytest.mark.parametrize("kind", ["redis", pytest.param("rabbitmq", marks=pytest.mark.full)])
def test_what_happens_is_told_once(brokers: Brokers, tmp_path: Path, kind: str) -> None:
    url = {"redis": brokers.redis(10), "rabbitmq": brokers.amqp()}[kind]
    transport = Transport(f"{kind}events", url)
    sender = Celery(broker=url)

    def send(count: int) -> None:
        for _number in range(count):
            sender.send_task("no.such.task", queue=f"{transport.name}_tasks")

    async def watch(worker: Any) -> list[str]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        told = Told(queue)
        options = {
            "broker_url": url,
            "queues": [f"{transport.name}_tasks"],
            "interval": 0.5,
            "timeout": 4,
            "backlog_high": 30,
            "backlog_low": 5,
            "lost_after": 3,
            "failures_least": 5,
            "failures_window": 5,
        }
        source = asyncio.create_task(runpy.run_path(str(SOURCE))["main"](queue, options))
        try:
            # A worker can't run what it doesn't know.
            failures = await told.until("failures_high", lambda: send(1))
            assert failures["share"] == 1
            await told.until("failures_low")

            os.kill(worker.pid, signal.SIGSTOP)
            send(40)
            assert (await told.until("backlog_high"))["backlog"] >= 30
            lost = await told.until("node_lost")
            assert (lost["node"], lost["host"]) == (transport.node, "test")
            os.kill(worker.pid, signal.SIGCONT)
            await told.until("node_back")

            with brokers.frozen(kind):
                away = await told.until("broker_lost")
            assert brokers.password not in away["text"]
            await told.until("broker_back")
        finally:
            source.cancel()
        return told.types

    with workers([transport], tmp_path) as running:
        with Client(transport.broker, 10) as client:
            client.call("enable_events", nodes=[transport.node])
        types = asyncio.run(watch(running[transport.name]))
    for kind_of_event in ("node_lost", "node_back", "backlog_high", "broker_lost", "broker_back"):
        assert types.count(kind_of_event) == 1, types
