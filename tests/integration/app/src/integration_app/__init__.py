"""The application of the integration tests: its workers write down what they do.

In the directory INTEGRATION_LOGS, each worker appends to control.log the remote-control commands
that it carries out, and each task `integration.record` or `integration.record_early` appends its
number to ledger.log.
"""

from __future__ import annotations

import json
import os
import time
from functools import wraps
from pathlib import Path
from typing import Any

from celery import Celery, Task
from kombu.pidbox import Node

LOGS = Path(os.environ.get("INTEGRATION_LOGS", "/tmp"))

app = Celery("integration")


def append(name: str, **values: Any) -> None:
    """Write one line at once, so that lines of several processes don't mix."""
    line = json.dumps({"at": time.time(), **values}) + "\n"
    with (LOGS / name).open("ab", buffering=0) as stream:
        stream.write(line.encode())


def watch_commands() -> None:
    """Have each remote-control command written down before it is carried out."""
    dispatch = Node.dispatch

    @wraps(dispatch)
    def watched(self: Node, method: str, arguments: Any = None, *args: Any, **options: Any) -> Any:
        append("control.log", node=self.hostname, command=method, arguments=arguments)
        return dispatch(self, method, arguments, *args, **options)

    Node.dispatch = watched


watch_commands()


@app.task(name="integration.noop")
def noop() -> None:
    """Do nothing."""


@app.task(name="integration.add")
def add(a: int, b: int) -> int:
    return a + b


@app.task(name="integration.sleep")
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@app.task(name="integration.fail")
def fail(message: str = "wanted") -> None:
    raise ValueError(message)


@app.task(name="integration.record", bind=True)
def record(self: Task, number: int, seconds: float = 0.0) -> int:
    """Work for some seconds, then note the number."""
    time.sleep(seconds)
    append("ledger.log", number=number, task=self.request.id, node=self.request.hostname)
    return number


@app.task(name="integration.record_early", bind=True, acks_late=False)
def record_early(self: Task, number: int, seconds: float = 0.0) -> int:
    """The same, but lost for good when its process is killed meanwhile."""
    time.sleep(seconds)
    append("ledger.log", number=number, task=self.request.id, node=self.request.hostname)
    return number
