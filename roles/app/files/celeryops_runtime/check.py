"""Checks a release before anything is switched to it: does its app load with these settings?

`python -m celeryops_runtime.check` reads one JSON object from standard input, since neither a
command line nor its environment may show a secret: `app` (module:attribute), `environment`
(variables), `settings` (what celery_settings lays over the app's own), `queues` (what workers will
consume; the app's own when empty), `kinds` (of their pools) and `served` (queues that somebody
consumes; nothing is said of routes without it). It prints one line of JSON and connects to nothing.
Exit code 0 means ok, 1 that the line holds an error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import celery
from celery import Celery
from celery.exceptions import QueueNotFound

from celeryops_runtime import SetupError
from celeryops_runtime._loading import describe, load

# The kinds that take a package beside Celery, which has the same name.
OWN_PACKAGE = ("eventlet", "gevent")


def main() -> int:
    wanted = json.load(sys.stdin)
    # Whatever the app prints, now or when it ends, must not mix with the answer.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answer_to:
        os.dup2(2, 1)
        try:
            answer = check(**wanted)
        except SetupError as error:
            answer = {"ok": False, "error": str(error)}
        print(json.dumps(answer), file=answer_to)
    return 0 if answer["ok"] else 1


def check(
    app: str,
    environment: Mapping[str, str],
    settings: Mapping[str, Any],
    queues: Sequence[str] = (),
    kinds: Sequence[str] = (),
    served: Sequence[str] = (),
) -> dict[str, Any]:
    """What the app holds, loaded as a worker of these `queues` would load it.

    The `environment` changes this process's own. Raises SetupError.
    """
    os.environ.update(environment)
    os.environ["CELERYOPS_APP"] = app
    loaded = load(os.environ, settings)
    try:
        loaded.loader.import_default_modules()
        loaded.finalize()
        declared = loaded.amqp.queues
    except (Exception, SystemExit) as error:
        raise SetupError(f"The app {app!r} cannot be started: {describe(error)}.") from error
    try:
        declared.select(queues)
    except KeyError as error:
        raise SetupError(
            f"The app {app!r} has no queue {error}: its task_queues lack it, "
            "and task_create_missing_queues is off."
        ) from error
    tasks = sorted(name for name in loaded.tasks if not name.startswith("celery."))
    if served:
        _check_routes(loaded, tasks, served)
    for kind in kinds:
        _check_kind(kind)
    return {
        "ok": True,
        "app": app,
        "celery": celery.__version__,
        "tasks": tasks,
        "queues": sorted(declared.consume_from),
        "schedule": sorted(loaded.conf.beat_schedule),
    }


def _check_routes(app: Celery, tasks: Sequence[str], served: Sequence[str]) -> None:
    """Ask the app where each task would go: a queue of its own must lead to somebody.

    The default queue is left alone, since a sender may name another one with each task.
    """
    for name in tasks:
        queue = _queue_of(app, name)
        if queue and queue not in (app.conf.task_default_queue, *served):
            close = get_close_matches(queue, served, n=1)
            guess = f" (did you mean {close[0]!r}?)" if close else ""
            raise SetupError(
                f"The task {name!r} goes to the queue {queue!r}, which no pool consumes{guess}: "
                "add it to a pool of celery_worker_pools, or to celery_app_foreign_queues if "
                "others do."
            )


def _queue_of(app: Celery, name: str) -> str | None:
    task = app.tasks[name]
    try:
        route = app.amqp.router.route(task._get_exec_options(), name, task_type=task)
    except QueueNotFound as error:
        raise SetupError(f"The task {name!r} has no queue to go to: {error}.") from error
    except Exception:
        # A router of the app's own may want a task's arguments.
        return None
    queue = route.get("queue")
    return str(getattr(queue, "name", queue)) if queue else None


def _check_kind(kind: str) -> None:
    """Celery's module of a kind can be imported without the kind's own package."""
    if kind not in OWN_PACKAGE:
        return
    try:
        importlib.import_module(kind)
    except Exception as error:
        python = ".".join(map(str, sys.version_info[:2]))
        raise SetupError(
            f"Pools of kind {kind!r} can't run on Python {python}: {describe(error)}; "
            "take another kind, or another version of its package in celery_app_packages."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
