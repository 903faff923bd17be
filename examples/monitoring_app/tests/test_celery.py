from __future__ import annotations

import pytest

from monitoring_app.celery import app


@pytest.fixture(scope="module", autouse=True)
def tasks() -> None:
    app.loader.import_default_modules()


def test_the_tasks() -> None:
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    assert ours == {
        "monitoring_app.tasks.checks.check_all_disks",
        "monitoring_app.tasks.checks.check_all_endpoints",
        "monitoring_app.tasks.checks.check_disk_usage",
        "monitoring_app.tasks.checks.check_http_endpoint",
        "monitoring_app.tasks.notifications.send_email",
        "monitoring_app.tasks.operations.risky_operation",
        "monitoring_app.tasks.operations.work",
        "monitoring_app.tasks.orders.pay_order",
        "monitoring_app.tasks.orders.ship_order",
        "monitoring_app.tasks.orders.validate_order",
    }


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("monitoring_app.tasks.checks.check_http_endpoint", "checks"),
        ("monitoring_app.tasks.operations.work", "default"),
        ("elsewhere.task", "default"),
    ],
)
def test_the_queues(task: str, queue: str) -> None:
    assert app.amqp.router.route({}, task)["queue"].name == queue


def test_the_schedule() -> None:
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
    endpoints = app.conf.beat_schedule["check all endpoints"]["schedule"]
    assert (endpoints.hour, endpoints.minute) == (set(range(24)), set(range(0, 60, 5)))
    disks = app.conf.beat_schedule["check all disks"]["schedule"]
    assert (disks.hour, disks.minute) == ({3}, {0})


def test_only_json() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == app.conf.result_serializer == "json"
