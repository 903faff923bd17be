"""A line of JSON tells where it comes from, and under which task it was written."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import celeryops_runtime
from celeryops_runtime import SetupError
from celeryops_runtime._logging import JsonFormatter, use_format

# Logs as a worker or beat does: set up, then from a task, from outside, and with an exception.
SHOP = """
import logging, os
from celery import Celery, signals
from celery.utils.log import get_multiprocessing_logger, get_task_logger

app = Celery("shop")

@app.task(name="shop.pay")
def pay():
    get_task_logger("shop").warning("paid %s", 5)

def main():
    if "CELERYOPS_BEAT" not in os.environ:
        signals.celeryd_init.send(sender="cpu1@host")
    app.log.setup(loglevel="INFO", hostname="cpu1@host")
    pay.apply(task_id="id-1")
    logging.getLogger("other").warning("line\\nbreak ä")
    get_multiprocessing_logger().error("process lost")
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("other").exception("failed")
"""


@pytest.fixture
def log_lines(write_module: Callable[[str, str], Path]) -> Callable[..., list[str]]:
    """What the app above logs, in a process of its own: logging is set up once."""
    root = write_module("shop", SHOP).parent
    path = os.pathsep.join([str(Path(celeryops_runtime.__file__).parents[1]), str(root)])

    def run(**environment: str) -> list[str]:
        code = "import celeryops_runtime.app, shop; shop.main()"
        environ = {**os.environ, "PYTHONPATH": path, "CELERYOPS_APP": "shop:app", **environment}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        return done.stderr.splitlines()

    return run


def test_json(log_lines: Callable[..., list[str]]) -> None:
    lines = log_lines(CELERYOPS_LOG_FORMAT="json", CELERYOPS_RELEASE="1.0.0-1a2b3c4d")
    found = [json.loads(line) for line in lines]
    paid = next(line for line in found if line["message"] == "paid 5")
    assert (paid["task"], paid["id"], paid["level"]) == ("shop.pay", "id-1", "WARNING")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", paid["time"])
    assert (paid["node"], paid["release"]) == ("cpu1@host", "1.0.0-1a2b3c4d")
    broken = next(line for line in found if line["message"] == "line\nbreak ä")
    assert "task" not in broken
    assert "process lost" in [line["message"] for line in found]
    failed = next(line for line in found if line["message"] == "failed")
    assert failed["exception"].endswith("ValueError: no")


def test_beat_has_the_name_that_operators_know(log_lines: Callable[..., list[str]]) -> None:
    lines = log_lines(CELERYOPS_LOG_FORMAT="json", CELERYOPS_BEAT="celerybeat@host")
    assert {json.loads(line)["node"] for line in lines} == {"celerybeat@host"}


def test_text_is_celerys_own(log_lines: Callable[..., list[str]]) -> None:
    assert any("shop.pay[id-1]: paid 5" in line for line in log_lines())


def test_celery_speaks_of_a_task_without_its_arguments() -> None:
    record = logging.LogRecord("celery", logging.INFO, "", 0, "Task received", (), None)
    record.data = {"name": "shop.pay", "id": "1", "args": "('4111 1111',)"}
    line: dict[str, Any] = json.loads(JsonFormatter().format(record))
    assert (line["task"], line["id"]) == ("shop.pay", "1")
    assert "4111" not in json.dumps(line)


def test_an_unknown_format() -> None:
    with pytest.raises(SetupError, match="CELERYOPS_LOG_FORMAT is 'xml': use text or json"):
        use_format({"CELERYOPS_LOG_FORMAT": "xml"})
