"""The check answers in one line of JSON whatever the app does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery
import pytest

import celeryops_runtime

APP = """
import atexit, os, subprocess
from celery import Celery

print("from the import")
subprocess.run(["echo", "from a child"], check=True)
atexit.register(print, "from the end")

app = Celery("shop", include=["shop_tasks"], broker=os.environ["SHOP_BROKER"])
app.conf.task_create_missing_queues = False
app.conf.task_queues = {"default": {}, "high": {}}
app.conf.beat_schedule = {"hourly": {"task": "shop.report", "schedule": 3600}}
"""

TASKS = """
from celery import shared_task

@shared_task(name="shop.report")
def report(): ...
"""


Check = Callable[..., tuple[int, dict[str, Any]]]
BROKER = {"SHOP_BROKER": "redis://nowhere.invalid/0"}


@pytest.fixture
def check(write_module: Callable[[str, str], Path]) -> Check:
    """Runs the check of an app; its exit code and its answer."""
    root = write_module("shop", APP).parent
    write_module("shop_tasks", TASKS)
    path = os.pathsep.join([str(Path(celeryops_runtime.__file__).parents[1]), str(root)])

    def run(
        environment: dict[str, str] = BROKER, settings: dict[str, Any] | None = None, **wanted: Any
    ) -> tuple[int, dict[str, Any]]:
        wanted |= {"app": "shop:app", "environment": environment, "settings": settings or {}}
        done = subprocess.run(
            [sys.executable, "-m", "celeryops_runtime.check"],
            check=False,
            text=True,
            capture_output=True,
            input=json.dumps(wanted),
            env={**os.environ, "PYTHONPATH": path},
        )
        [line] = done.stdout.splitlines()
        return done.returncode, json.loads(line)

    return run


def test_a_good_release(check: Check) -> None:
    settings = {"beat_schedule": {"nightly": {"task": "shop.report", "schedule": {"crontab": {}}}}}
    assert check(settings=settings, queues=["high"]) == (
        0,
        {
            "ok": True,
            "app": "shop:app",
            "celery": celery.__version__,
            "tasks": ["shop.report"],
            "queues": ["high"],
            "schedule": ["hourly", "nightly"],
        },
    )


@pytest.mark.parametrize("served", [["high", "reports"], []])
def test_a_route_to_a_queue_that_somebody_consumes(served: list[str], check: Check) -> None:
    settings = {"task_routes": {"shop.*": "reports"}, "task_create_missing_queues": True}
    assert check(settings=settings, served=served)[0] == 0


def test_a_route_to_a_queue_that_nobody_consumes(check: Check) -> None:
    settings = {"task_routes": {"shop.*": "reprots"}, "task_create_missing_queues": True}
    code, answer = check(settings=settings, served=["high", "reports"])
    assert code == 1
    assert answer["error"] == (
        "The task 'shop.report' goes to the queue 'reprots', which no pool consumes (did you mean "
        "'reports'?): add it to a pool of celery_worker_pools, or to celery_app_foreign_queues if "
        "others do."
    )


def test_a_route_to_a_queue_that_is_not_declared(check: Check) -> None:
    code, answer = check(settings={"task_routes": {"shop.*": "reports"}}, served=["reports"])
    assert code == 1
    assert answer["error"].startswith("The task 'shop.report' has no queue to go to: ")


def test_a_router_that_cannot_be_asked_is_left_alone(
    check: Check, write_module: Callable[[str, str], Path]
) -> None:
    write_module("shop_router", "def route(name, args, *_, **__): return args[0]")
    assert check(settings={"task_routes": ["shop_router.route"]}, served=["high"])[0] == 0


def test_the_default_queue_is_left_alone(check: Check) -> None:
    settings = {"task_default_queue": "default"}
    assert check(settings=settings, served=["high"])[0] == 0


def test_kinds_that_work(check: Check) -> None:
    assert check(kinds=["prefork", "threads", "solo"])[0] == 0


def test_a_kind_that_does_not_work(check: Check, write_module: Callable[[str, str], Path]) -> None:
    write_module("eventlet", "raise AttributeError('this Python is too new')")
    code, answer = check(kinds=["prefork", "eventlet"])
    assert code == 1
    assert answer["error"].startswith("Pools of kind 'eventlet' can't run on Python 3.")
    assert "AttributeError: this Python is too new" in answer["error"]


def test_the_apps_own_queues(check: Check) -> None:
    _code, answer = check()
    assert answer["queues"] == ["default", "high"]
    assert answer["schedule"] == ["hourly"]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"environment": {}}, "The import of 'shop' failed: KeyError: 'SHOP_BROKER' ("),
        (
            {"queues": ["default", "hihg"]},
            "The app 'shop:app' has no queue 'hihg': its task_queues lack it, ",
        ),
        (
            {"settings": {"imports": ["shop_tsaks"]}},
            "The app 'shop:app' cannot be started: ModuleNotFoundError: ",
        ),
        (
            {"settings": {"task_ack_late": True}},
            f"celery_settings holds names that Celery {celery.__version__} does not know: ",
        ),
    ],
)
def test_a_bad_release(wanted: dict[str, Any], error: str, check: Check) -> None:
    code, answer = check(**wanted)
    assert code == 1
    assert answer.keys() == {"ok", "error"}
    assert answer["ok"] is False
    assert answer["error"].startswith(error)
