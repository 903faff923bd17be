"""What a worker tells about the routes of its app."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from kombu import Exchange, Queue

from celeryops_runtime._control import celeryops_route

# Many an app still sets them.
pytestmark = pytest.mark.filterwarnings("ignore::celery.exceptions.CDeprecationWarning")


def app_with(**settings: Any) -> Celery:
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.update(settings)

    @app.task(name="shop.add", shared=False)
    def add() -> None: ...

    options = {"queue": "mail", "priority": 7, "expires": 60, "ignore_result": True}

    @app.task(name="shop.mail", shared=False, **options)
    def mail() -> None: ...

    app.finalize()
    return app


def told(app: Celery, task: str, queue: str | None = None, driver: str = "amqp") -> dict[str, Any]:
    transport = SimpleNamespace(driver_type=driver)
    consumer = SimpleNamespace(connection=SimpleNamespace(transport=transport))
    state = SimpleNamespace(app=app, consumer=consumer)
    return celeryops_route(state, task) if queue is None else celeryops_route(state, task, queue)


def sent(app: Celery, task: str, **options: Any) -> tuple[str, str]:
    """Where Celery itself sends a task."""
    to: list[tuple[str, str]] = []

    class Producer:
        connection = SimpleNamespace(_reraise_as_library_errors=lambda: NoContext())

        def publish(self, _body: Any, exchange: str, routing_key: str, **_: Any) -> None:
            to.append((getattr(exchange, "name", exchange), routing_key))

    # By its name alone, Celery before 5.7 sends a task without the options that it declares.
    own = app.tasks[task].apply_async if task in app.tasks else partial(app.send_task, task)
    own(producer=Producer(), **options)
    return to[0]


class NoContext:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: Any) -> None: ...


TOPIC = {
    "task_default_queue": "cpu",
    "task_default_exchange_type": "topic",
    "task_default_queue_type": "quorum",
    "task_create_missing_queue_type": "quorum",
    "task_create_missing_queue_exchange_type": "topic",
}
QUEUES = {
    "task_queues": [
        Queue("cpu", Exchange("work", type="direct"), routing_key="c"),
        Queue("io", Exchange("work", type="topic"), routing_key="io.#"),
    ],
    "task_default_queue": "cpu",
}
ROUTES = {"task_routes": {"shop.a*": {"queue": "io", "routing_key": "io.add", "priority": 3}}}


@pytest.mark.parametrize("settings", [{}, TOPIC, QUEUES, {**QUEUES, **ROUTES}])
@pytest.mark.parametrize("task", ["shop.add", "shop.mail", "shop.nosuch"])
@pytest.mark.parametrize("queue", [None, "io", "elsewhere"])
def test_the_route_is_celerys_own(settings: Any, task: str, queue: str | None) -> None:
    app = app_with(**settings)
    known = set(app.amqp.queues)
    route = told(app, task, queue)
    assert set(app.amqp.queues) == known
    options = {} if queue is None else {"queue": queue}
    assert (route["exchange"], route["routing_key"]) == sent(app, task, **options)
    assert route["registered"] == (task != "shop.nosuch")
    assert queue in (None, route["queue"])


def test_the_options_of_a_task() -> None:
    route = told(app_with(), "shop.mail")
    assert (route["queue"], route["priority"], route["expires"]) == ("mail", 7, 60)
    assert (route["ignore_result"], route["serializer"]) == (True, "json")
    route = told(app_with(**QUEUES, **ROUTES), "shop.add")
    assert (route["queue"], route["priority"], route["ignore_result"]) == ("io", 3, False)


def test_a_moment_of_expiry_is_told_as_text() -> None:
    app = app_with()
    app.tasks["shop.add"].expires = datetime(2030, 1, 1, tzinfo=timezone.utc)
    app.tasks["shop.add"]._exec_options = None
    assert told(app, "shop.add")["expires"] == "2030-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("settings", "queue", "driver", "key"),
    [
        (TOPIC, None, "amqp", "cpu"),
        (TOPIC, "elsewhere", "amqp", None),
        (TOPIC, None, "redis", None),
        ({}, None, "amqp", None),
        (QUEUES, "io", "amqp", None),
    ],
)
def test_who_holds_a_task_until_its_time(
    settings: Any, queue: str | None, driver: str, key: str | None
) -> None:
    assert told(app_with(**settings), "shop.add", queue, driver)["delayed_key"] == key
