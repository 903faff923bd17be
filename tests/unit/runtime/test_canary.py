"""Canaries through a worker on a broker in memory, sent and received by the control client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from celery.app import trace
from celery.contrib.testing.worker import start_worker

from ansible_collections.celeryops.cluster.plugins.module_utils._canary import Door, door_of
from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from celeryops_runtime._beat import let_beat_answer
from celeryops_runtime._canary import NAME, add_canary, add_direct_queue

BROKER = Broker("memory://", "the test", {"polling_interval": 0.01})


@pytest.fixture
def app() -> Iterator[Celery]:
    app = Celery("shop", broker="memory://")
    app.conf.update(
        broker_transport_options={"polling_interval": 0.01},
        task_acks_late=True,
        task_store_errors_even_if_ignored=True,
        task_default_rate_limit="1/h",
        worker_hijack_root_logger=False,
    )
    add_canary(app)
    yield app


def test_a_canary_is_as_early_and_as_quiet_as_can_be(app: Celery) -> None:
    task = app.tasks[NAME]
    found = (task.acks_late, task.ignore_result, task.store_errors_even_if_ignored, task.rate_limit)
    assert found == (False, True, False, 0)


class Worker:
    def __init__(self, app: Celery) -> None:
        self.app = app


def test_the_queue_goes_with_the_worker_whatever_the_others_are(app: Celery) -> None:
    app.conf.task_queue_max_priority = 5
    add_direct_queue("cpu1@w1", Worker(app))
    queue = app.amqp.queues.consume_from["cpu1@w1.dq2"]
    assert (queue.auto_delete, queue.exclusive, queue.durable) == (True, False, True)
    assert queue.queue_arguments["x-queue-type"] == "classic"
    assert queue.exchange.type == "topic"


def test_an_app_with_direct_queues_keeps_its_own(app: Celery) -> None:
    app.conf.worker_direct = True
    add_direct_queue("cpu1@w1", Worker(app))
    assert "cpu1@w1.dq2" not in app.amqp.queues


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_round_trip(app: Celery, pool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERYOPS_RELEASE", "1.0.0-a")
    add_direct_queue("c1@h", Worker(app))
    trace.setup_worker_optimizations(app, "c1@h")
    try:
        with (
            start_worker(
                app, pool=pool, hostname="c1@h", loglevel="WARNING", perform_ping_check=False
            ),
            Client(BROKER, 60.0) as client,
        ):
            queues = client.call("active_queues", nodes=["c1@h"]).answers["c1@h"]
            door = door_of(queues)
            assert door == Door("celeryops.canary", "c1@h")
            nowhere = Door("celeryops.canary", "gone@h")
            client.send_canaries({"c1@h": door}, patience=5.0)
            replies = client.send_canaries({"c1@h": door, "gone@h": nowhere}, patience=1.0)
            assert replies.answers == {"c1@h": {"release": "1.0.0-a"}}
            assert replies.missing == ["gone@h"]
            assert 0 < replies.arrived["c1@h"] < 1.0
    finally:
        trace.reset_worker_optimizations(app)


class Beat:
    remote_control = False
    hostname: Any = None


def test_beat_answers_under_the_name_of_the_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    beat = Beat()
    let_beat_answer(beat)
    assert (beat.remote_control, beat.hostname) == (True, None)
    monkeypatch.setenv("CELERYOPS_BEAT", "celerybeat@d1")
    let_beat_answer(beat)
    assert beat.hostname == "celerybeat@d1"
