# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: the services of an application, as `_common`'s verb takes them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import (
    QUEUES,
    RANGE,
    SIZE,
    Setting,
)
from ansible_collections.celeryops.cluster.plugins.plugin_utils._limits import (
    celery_options,
    unit_settings,
)
from ansible_collections.celeryops.cluster.plugins.plugin_utils._numbers import pool_of
from ansible_collections.celeryops.cluster.plugins.plugin_utils._pools import (
    Numbers,
    pool_instances,
    pool_range,
)

_PLAIN = re.compile(r"[\w@%+=:,./-]+\Z")


def exec_word(word: object) -> str:
    """A word of ExecStart=: specifiers and variables switched off, quoted where it must be."""
    text = str(word).replace("%", "%%").replace("$", "$$")
    if _PLAIN.match(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def worker_services(
    pools: Sequence[Mapping[str, Any]],
    app: str,
    host: str,
    entry: str,
    stop_timeout: int | str,
    watchdog: int | str,
    numbers: Numbers | None = None,
    log_files: bool = False,
) -> list[dict[str, Any]]:
    """The services of a worker host, an instance each.

    `entry` is what `celery -A` loads. `stop_timeout` and `watchdog` are seconds, as a text when
    they come from the command line. `numbers` are those of the instances, by pool, counted from 1
    without them. With `log_files` each logs to a file of its own rather than to the journal. What
    can be set live comes from the environment, so that it outlasts a restart without a change of
    the unit.
    """
    with_runtime = entry.startswith("celeryops_runtime.")
    return [
        {
            "unit": f"celery-{app}-{found['pool']['name']}@{found['number']}.service",
            "unit_file": f"celery-{app}-{found['pool']['name']}@.service",
            "instance": found["instance"],
            "description": f"Celery worker %j%i of {app}",
            "type": "notify" if with_runtime else "exec",
            "command": _worker_command(found["pool"], app, host, entry, log_files),
            "environment_files": [
                f"/etc/celeryops/{app}/worker.env",
                f"/etc/celeryops/{app}/instances/%j%i.env",
                f"-/etc/celeryops/{app}/pools/%j.env",
            ],
            "environment": _worker_environment(found["pool"]),
            "stop_timeout": int(stop_timeout),
            "watchdog": int(watchdog) if with_runtime else 0,
            "limits": unit_settings(found["pool"]),
        }
        for found in pool_instances(pools, host, numbers)
    ]


def _worker_command(
    pool: Mapping[str, Any], app: str, host: str, entry: str, log_files: bool
) -> str:
    options = [
        f"--pool={pool.get('kind', 'prefork')}",
        f"--loglevel={pool.get('loglevel', 'INFO')}",
        *celery_options(pool),
        *pool.get("extra_args", []),
    ]
    words = [
        f"/opt/celeryops/{app}/instances/%j%i/venv/bin/celery",
        f"--app={exec_word(entry)}",
        "worker",
        f"--hostname=%j%i@{exec_word(host)}",
        *([f"--logfile=/var/log/celeryops/{app}/%j%i.log"] if log_files else []),
        *map(exec_word, options),
    ]
    return " ".join(words)


def _worker_environment(pool: Mapping[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = {
        setting.live: value for setting, value in _declared(pool).items() if value
    }
    if "prefetch_multiplier" in pool:
        own["CELERY_WORKER_PREFETCH_MULTIPLIER"] = pool["prefetch_multiplier"]
    return own | dict(pool.get("environment", {}))


def overtaken_values(pools: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By the name of a pool's file of live values, what matches those that have been overtaken.

    A value is overtaken when the inventory no longer declares what it declared when the value was
    set live.
    """
    return {
        f"{pool['name']}.env": "|".join(
            rf'^{setting.declared}=(?!"?{re.escape(value)}"?$).*\n{setting.live}=.*\n'
            for setting, value in _declared(pool).items()
        )
        for pool in pools
    }


def _declared(pool: Mapping[str, Any]) -> dict[Setting, str]:
    """What the inventory declares, as Celery reads it; empty where it declares nothing."""
    bounds = pool_range(pool)
    return {
        SIZE: "" if bounds else str(pool["concurrency"]),
        RANGE: f"{bounds[1]},{bounds[0]}" if bounds else "",
        QUEUES: ",".join(map(str, pool["queues"])),
    }


def program_services(programs: Sequence[Mapping[str, Any]], app: str) -> list[dict[str, Any]]:
    """The services of programs that a release brings, such as its web server, one each."""
    return [_program_service(program, program["name"], app) for program in programs]


def _program_service(program: Mapping[str, Any], name: str, app: str) -> dict[str, Any]:
    unit = f"celery-{app}-{name}.service"
    return {
        "unit": unit,
        "unit_file": unit,
        "instance": name,
        "description": program.get("description", f"{name} of {app}"),
        "type": program.get("type", "exec"),
        "command": f"/opt/celeryops/{app}/instances/{name}/venv/bin/{program['command']}",
        "environment_files": [
            f"/etc/celeryops/{app}/worker.env",
            *program.get("environment_files", []),
            f"/etc/celeryops/{app}/instances/{name}.env",
        ],
        "environment": dict(program.get("environment", {})),
        "stop_timeout": int(program.get("stop_timeout", 60)),
        "watchdog": 0,
        "limits": {},
    }


def left_behind(
    services: Sequence[Mapping[str, Any]],
    app: str,
    found: Iterable[str],
    alerts: bool,
    ending: Collection[str] = (),
) -> dict[str, list[str]]:
    """What earlier instances and pools of an app have left on a host.

    Args:
        services: The worker services that the host should have.
        app: The name of the app.
        found: The paths of units and of links to them, of environment files and of links to
            releases.
        alerts: Whether the unit that sends alerts stays; it is no pool's.
        ending: The instances that still run. Their links tell what they run, and their units how.

    Returns:
        The `instances`, the `started_with` files that say that they should run, and the further
        `files` of those that have ended.
    """
    names = {Path(path).name for path in found}
    prefix = f"celery-{app}-"
    pools = {
        name.removeprefix(prefix).removesuffix("@.service")
        for name in names
        if name.startswith(prefix) and name.endswith("@.service")
    }
    enabled = {
        name.removeprefix(prefix).removesuffix(".service").replace("@", "")
        for name in names
        if name.startswith(prefix) and not name.endswith("@.service")
    }
    traces = {name.removesuffix(".env") for name in names}
    instances = enabled | {name for name in traces if pool_of(name) in pools}
    left = sorted(instances - {service["instance"] for service in services})
    gone_pools = sorted(
        pools
        - {service["unit_file"][len(prefix) : -len("@.service")] for service in services}
        - set(map(pool_of, ending))
        - ({"alert"} if alerts else set())
    )
    return {
        "instances": left,
        "started_with": [f"/etc/celeryops/{app}/instances/{name}.env" for name in left],
        "files": [
            *(f"/opt/celeryops/{app}/instances/{name}" for name in left if name not in ending),
            *(f"/etc/systemd/system/{prefix}{pool}@.service" for pool in gone_pools),
            *(f"/etc/celeryops/{app}/pools/{pool}.env" for pool in gone_pools),
        ],
    }
