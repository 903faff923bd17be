"""The stamp on each task that is sent, and the waits that a worker tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, chain, signals
from celery.contrib.testing.worker import start_worker
from celery.utils import uuid

from celeryops_runtime import _stamp
from celeryops_runtime._stamp import DUE, MOST_ROUTES, note_wait, stamp, stamp_tasks, waits


@pytest.fixture(autouse=True)
def stamping(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_stamp, "_waits", {})
    stamp_tasks()
    yield
    signals.before_task_publish.disconnect(stamp)
    signals.task_received.disconnect(note_wait)


@pytest.fixture
def app() -> Celery:
    app = Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.worker_hijack_root_logger = False
    # The broker is that of the whole process.
    app.conf.task_default_queue = uuid()
    app.conf.broker_transport_options = {"polling_interval": 0.01}
    return app


@pytest.fixture
def sent() -> Iterator[Callable[..., dict[str, Any]]]:
    """Sends a task and returns its headers as they were published."""
    published: list[dict[str, Any]] = []

    def note(headers: Any = None, **_: Any) -> None:
        published.append(dict(headers))

    signals.before_task_publish.connect(note)

    def send(app: Celery, **options: Any) -> dict[str, Any]:
        app.send_task("shop.pay", **options)
        return published[-1]

    yield send
    signals.before_task_publish.disconnect(note)


def test_a_task_is_stamped_with_the_present(app: Celery, sent: Callable[..., Any]) -> None:
    before = time.time()
    assert before <= sent(app)[DUE] <= time.time()
    assert before <= sent(app, headers={DUE: 1.0})[DUE] <= time.time()


def test_an_eta_counts_from_its_moment(app: Celery, sent: Callable[..., Any]) -> None:
    moment = datetime.now(timezone.utc) + timedelta(hours=1)
    assert sent(app, eta=moment)[DUE] == pytest.approx(moment.timestamp(), abs=1e-3)
    assert sent(app, countdown=60)[DUE] == pytest.approx(time.time() + 60, abs=5)
    # A worker takes one without a timezone for UTC, whatever the app's is.
    assert sent(app, eta=moment.replace(tzinfo=None))[DUE] == pytest.approx(
        moment.timestamp(), abs=1e-3
    )
    past = datetime.now(timezone.utc) - timedelta(hours=1)
    assert sent(app, eta=past)[DUE] == pytest.approx(time.time(), abs=5)


def test_the_first_version_of_the_protocol(app: Celery, sent: Callable[..., Any]) -> None:
    app.conf.task_protocol = 1
    assert sent(app)[DUE] == pytest.approx(time.time(), abs=5)
    assert sent(app, countdown=60)[DUE] == pytest.approx(time.time() + 60, abs=5)


@pytest.mark.parametrize(
    ("headers", "body"), [(None, None), ({"task": "a", "eta": "soon"}, ()), ({}, 1)]
)
def test_nothing_keeps_a_task_from_being_sent(headers: Any, body: Any) -> None:
    stamp(headers=headers, body=body)
    if headers:
        assert headers[DUE] == pytest.approx(time.time(), abs=5)


def test_retries_and_chains_are_stamped_anew(app: Celery) -> None:
    seen: list[tuple[str, float, float]] = []
    published: list[float] = []

    @app.task(bind=True, name="shop.pay", max_retries=1)
    def pay(self: Any) -> None:
        seen.append((self.name, getattr(self.request, DUE), time.time()))
        if self.request.retries == 0:
            raise self.retry(countdown=0.2)

    @app.task(bind=True, name="shop.ship")
    def ship(self: Any) -> None:
        seen.append((self.name, getattr(self.request, DUE), time.time()))

    def note(**_: Any) -> None:
        published.append(time.time())

    signals.before_task_publish.connect(note)
    # The worker sets the root logger's level: to what it is anyway.
    with start_worker(app, pool="solo", loglevel="WARNING", perform_ping_check=False):
        chain(pay.si(), ship.si()).apply_async().get(timeout=30)
    signals.before_task_publish.disconnect(note)

    assert [name for name, _due, _now in seen] == ["shop.pay", "shop.pay", "shop.ship"]
    first, again, last = (due for _name, due, _now in seen)
    assert first == pytest.approx(published[0], abs=0.05)
    assert again == pytest.approx(published[1] + 0.2, abs=0.05)
    assert last == pytest.approx(published[2], abs=0.05)
    assert all(due <= now for _name, due, now in seen)


def request(due: Any, exchange: str, key: str, redelivered: bool = False) -> Any:
    info = {"exchange": exchange, "routing_key": key, "redelivered": redelivered}
    return SimpleNamespace(request_dict={DUE: due}, delivery_info=info)


def consumer() -> Any:
    def queue(name: str, exchange: str, key: str) -> Any:
        return SimpleNamespace(name=name, exchange=SimpleNamespace(name=exchange), routing_key=key)

    queues = [queue("cpu", "cpu", "cpu"), queue("mail", "all", "mail.out")]
    return SimpleNamespace(task_consumer=SimpleNamespace(queues=queues))


def test_waits_by_queue() -> None:
    now = time.time()
    note_wait(request(now - 9, "cpu", "cpu"))
    note_wait(request(now - 5, "", "cpu"))
    note_wait(request(now - 3, "celery_delayed_delivery", "0." * 28 + "mail.out"))
    found = waits(consumer())
    assert found.keys() == {"cpu", "mail"}
    assert found["cpu"]["wait"] == pytest.approx(5, abs=1)
    assert found["mail"]["wait"] == pytest.approx(3, abs=1)
    assert found["mail"]["ago"] < 1
    note_wait(request(now - 7, "all", "mail.out"))
    assert waits(consumer())["mail"]["wait"] == pytest.approx(7, abs=1)


def test_waits_that_are_none() -> None:
    note_wait(request(time.time() + 60, "", "cpu"))
    note_wait(request(time.time() - 60, "", "cpu", redelivered=True))
    note_wait(request("x", "", "cpu"))
    note_wait(SimpleNamespace(request_dict={}))
    note_wait(request(time.time(), "", "elsewhere"))
    assert waits(consumer()) == {}


def test_routes_are_bounded() -> None:
    for number in range(MOST_ROUTES + 10):
        note_wait(request(time.time() - 1, "orders", f"order.{number}"))
    assert len(_stamp._waits) == MOST_ROUTES
