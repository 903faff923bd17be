"""Checks a release before anything is switched to it: does its app load with these settings?

`python -m celeryops_runtime.check` reads one JSON object from standard input, since neither a
command line nor its environment may show a secret: `app` (module:attribute), `environment`
(variables), `settings` (what celery_settings lays over the app's own) and `queues` (what workers
will consume; the app's own when empty). It prints one line of JSON and connects to nothing. Exit
code 0 means ok, 1 that the line holds an error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import celery

from celeryops_runtime import SetupError
from celeryops_runtime._loading import describe, load


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
    return {
        "ok": True,
        "app": app,
        "celery": celery.__version__,
        "tasks": sorted(name for name in loaded.tasks if not name.startswith("celery.")),
        "queues": sorted(declared.consume_from),
        "schedule": sorted(loaded.conf.beat_schedule),
    }


if __name__ == "__main__":
    sys.exit(main())
