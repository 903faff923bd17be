"""Canaries: small tasks by which an operator sees that a worker fetches and runs what is sent."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, Task
from kombu import Exchange, Queue
from kombu.exceptions import InconsistencyError

NAME = "celeryops.canary"
# Not Celery's own exchange for direct queues: that one is of type direct, at which a worker with
# quorum queues warns, in each start, that ETA tasks would block it.
EXCHANGE = Exchange("celeryops.canary", type="topic")
# A queue that lost its worker together with the broker is removed after this many seconds.
EXPIRES = 3600.0
CONNECT_SECONDS = 5.0


def add_direct_queue(sender: str, instance: Any, **_: Any) -> None:
    """Have the worker consume from a queue of its own, `<node>.dq2`.

    It goes with the worker, and is of type classic whatever the others are: a quorum queue can't
    go, and one that stays without a consumer keeps what comes in.
    """
    if instance.app.conf.worker_direct:
        return
    instance.app.amqp.queues.select_add(
        Queue(
            f"{sender}.dq2",
            EXCHANGE,
            routing_key=sender,
            auto_delete=True,
            expires=EXPIRES,
            queue_arguments={"x-queue-type": "classic"},
        )
    )


def add_canary(app: Celery) -> None:
    """Register the task, without what the app's own tasks have in common."""
    app.task(
        canary,
        name=NAME,
        base=Task,
        bind=True,
        acks_late=False,
        ignore_result=True,
        store_errors_even_if_ignored=False,
        track_started=False,
        max_retries=0,
        send_events=False,
        # None would be the app's default.
        rate_limit=0,
    )


def canary(task: Task, exchange: str, routing_key: str, ticket: str) -> None:
    """Answer like a remote-control command, so that no result backend is needed.

    Args:
        task: The task itself.
        exchange: Where the reply goes.
        routing_key: The asker's mailbox there.
        ticket: What the asker knows the reply by.
    """
    app = task.app
    # A connection of its own: the pool's would stay open in each process of the worker.
    with app.connection_for_write(connect_timeout=CONNECT_SECONDS) as connection:
        # Without bounds it would try for ever to connect, and hold its process.
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
        try:
            connection.Producer(serializer=app.conf.task_serializer, auto_declare=False).publish(
                {task.request.hostname: {"release": os.environ.get("CELERYOPS_RELEASE")}},
                exchange=exchange,
                routing_key=routing_key,
                headers={"ticket": ticket, "clock": app.clock.forward()},
                retry=False,
            )
        except InconsistencyError:
            # The asker has gone away, and on Redis its mailbox with it.
            return
