"""Checks a release before anything is switched to it: does its app load with these settings?

`python -m celeryops_runtime.check --app shop.celery:app` prints one line of JSON and connects to
nothing. Exit code 0 means ok, 1 that the line holds an error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import celery

from celeryops_runtime import SetupError
from celeryops_runtime._environment_file import read_environment_file
from celeryops_runtime._loading import describe, load


def main() -> int:
    arguments = _arguments()
    # Whatever the app prints, now or when it ends, must not mix with the answer.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answer_to:
        os.dup2(2, 1)
        try:
            answer = check(arguments.app, arguments.settings, arguments.env_file, arguments.queues)
        except SetupError as error:
            answer = {"ok": False, "error": str(error)}
        print(json.dumps(answer), file=answer_to)
    return 0 if answer["ok"] else 1


def check(
    path: str, settings: Path | None, environment_files: list[Path], queues: list[str]
) -> dict[str, Any]:
    """What the app at `path` holds, loaded as a worker of these `queues` would load it.

    The environment files, in their order, change this process's environment. Raises SetupError.
    """
    for file in environment_files:
        os.environ.update(read_environment_file(file))
    os.environ["CELERYOPS_APP"] = path
    if settings:
        os.environ["CELERYOPS_SETTINGS"] = str(settings)
    app = load(os.environ)
    try:
        app.loader.import_default_modules()
        app.finalize()
        declared = app.amqp.queues
    except (Exception, SystemExit) as error:
        raise SetupError(f"The app {path!r} cannot be started: {describe(error)}.") from error
    try:
        declared.select(queues)
    except KeyError as error:
        raise SetupError(
            f"The app {path!r} has no queue {error}: its task_queues lack it, "
            "and task_create_missing_queues is off."
        ) from error
    return {
        "ok": True,
        "app": path,
        "celery": celery.__version__,
        "tasks": sorted(name for name in app.tasks if not name.startswith("celery.")),
        "queues": sorted(declared.consume_from),
        "schedule": sorted(app.conf.beat_schedule),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m celeryops_runtime.check")
    parser.add_argument("--app", required=True, help="the app, as module:attribute")
    parser.add_argument(
        "--settings", type=Path, help="JSON file, - for stdin; default: $CELERYOPS_SETTINGS"
    )
    parser.add_argument(
        "--env-file",
        type=Path,
        action="append",
        default=[],
        help="file of environment variables as systemd reads it; may be given several times",
    )
    parser.add_argument(
        "--queues",
        type=lambda names: [name for name in names.split(",") if name],
        default=[],
        help="queues that workers will consume, separated by commas; default: the app's own",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
