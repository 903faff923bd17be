"""Logs as JSON, a line each, for those who ship them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from celery import signals
from celery._state import get_current_task
from celery.apps.worker import Worker
from celery.utils.log import get_multiprocessing_logger

from celeryops_runtime import SetupError

FORMATS = ("text", "json")


class JsonFormatter(logging.Formatter):
    """What is known of a record, and of the task under which it was written."""

    def __init__(self, **known: str | None) -> None:
        super().__init__()
        self.known = {name: value for name, value in known.items() if value}

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, timezone.utc)
        line = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "process": record.processName,
            **self.known,
            **_task_of(record),
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def _task_of(record: logging.LogRecord) -> dict[str, Any]:
    """Name and id of the task that runs, or that Celery speaks of. Its arguments may be secret."""
    task = get_current_task()
    if task and task.request.id:
        return {"task": task.name, "id": task.request.id}
    data = getattr(record, "data", None)
    if isinstance(data, Mapping) and {"name", "id"} <= data.keys():
        return {"task": data["name"], "id": data["id"]}
    return {}


def use_format(environ: Mapping[str, str]) -> None:
    """Have Celery log as CELERYOPS_LOG_FORMAT says. Raises SetupError.

    An app that sets up its logging itself keeps it: Celery then sends neither signal.
    """
    wanted = environ.get("CELERYOPS_LOG_FORMAT") or FORMATS[0]
    if wanted not in FORMATS:
        raise SetupError(f"CELERYOPS_LOG_FORMAT is {wanted!r}: use {' or '.join(FORMATS)}.")
    if wanted == "json":
        # Its lines would be none of JSON; what it says stands in the unit and in the settings.
        Worker.emit_banner = lambda _self: None
        formatter = JsonFormatter(
            node=environ.get("CELERYOPS_BEAT"), release=environ.get("CELERYOPS_RELEASE")
        )
        signals.celeryd_init.connect(
            lambda sender, **_: formatter.known.update(node=sender), weak=False
        )
        for signal in (signals.after_setup_logger, signals.after_setup_task_logger):
            signal.connect(lambda logger, **_: _give(formatter, logger), weak=False)
        # Tells of lost processes; Celery sets it up before the others, with no signal of its own.
        signals.after_setup_logger.connect(
            lambda **_: _give(formatter, get_multiprocessing_logger()), weak=False
        )


def _give(formatter: logging.Formatter, logger: logging.Logger) -> None:
    for handler in logger.handlers:
        handler.setFormatter(formatter)
