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


@pytest.fixture
def check(
    tmp_path: Path, write_module: Callable[[str, str], Path]
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs the check of an app; its exit code and its answer."""
    root = write_module("shop", APP).parent
    write_module("shop_tasks", TASKS)
    env_file = tmp_path / "worker.env"
    env_file.write_text('SHOP_BROKER="redis://nowhere.invalid/0"\n', encoding="utf-8")
    path = os.pathsep.join([str(Path(celeryops_runtime.__file__).parents[1]), str(root)])

    def run(*arguments: str, stdin: str = "") -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "celeryops_runtime.check", "--app=shop:app"]
            + [argument.format(env_file=env_file) for argument in arguments],
            check=False,
            text=True,
            capture_output=True,
            input=stdin,
            env={**os.environ, "PYTHONPATH": path},
        )
        [line] = done.stdout.splitlines()
        return done.returncode, json.loads(line)

    return run


def test_a_good_release(check: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    settings = {"beat_schedule": {"nightly": {"task": "shop.report", "schedule": {"crontab": {}}}}}
    assert check(
        "--env-file={env_file}", "--queues=high", "--settings=-", stdin=json.dumps(settings)
    ) == (
        0,
        {
            "ok": True,
            "app": "shop:app",
            "celery": celery.__version__,
            "tasks": ["shop.report"],
            "queues": ["high"],
            "schedule": ["nightly"],
        },
    )


def test_the_apps_own_queues(check: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    _, answer = check("--env-file={env_file}")
    assert answer["queues"] == ["default", "high"]
    assert answer["schedule"] == ["hourly"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "error"),
    [
        ([], "", "The import of 'shop' failed: KeyError: 'SHOP_BROKER' ("),
        (
            ["--env-file={env_file}", "--queues=default,hihg"],
            "",
            "The app 'shop:app' has no queue 'hihg': its task_queues lack it, ",
        ),
        (
            ["--env-file={env_file}", "--settings=-"],
            '{"imports": ["shop_tsaks"]}',
            "The app 'shop:app' cannot be started: ModuleNotFoundError: ",
        ),
        (
            ["--env-file={env_file}", "--settings=-"],
            '{"task_ack_late": true}',
            f"celery_settings holds names that Celery {celery.__version__} does not know: ",
        ),
    ],
)
def test_a_bad_release(
    arguments: list[str],
    stdin: str,
    error: str,
    check: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    code, answer = check(*arguments, stdin=stdin)
    assert code == 1
    assert answer.keys() == {"ok", "error"}
    assert answer["ok"] is False
    assert answer["error"].startswith(error)
