# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: pools (worker profiles), their instances and nodes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._guesses import did_you_mean
from ansible_collections.celeryops.cluster.plugins.plugin_utils._layers import CPUS, PROFILES
from ansible_collections.celeryops.cluster.plugins.plugin_utils._limits import (
    LIMITS,
    limit_problems,
)

KINDS = ("prefork", "gevent", "eventlet", "threads", "solo")
SCALING_KINDS = ("prefork", "gevent", "eventlet")
OPTIONS = (
    "name", "queues", "kind", "concurrency", "autoscale", "instances", "prefetch_multiplier",
    "loglevel", "environment", "extra_args",
)  # fmt: skip
# A dash would split the unit's name, a last digit would run into the instance's number.
_NAME = re.compile(r"[a-z]([a-z0-9_]*[a-z_])?\Z")
_RESERVED = ("alert", "beat", "flower")
Numbers = Mapping[str, Sequence[int]]


def pool_problems(pools: Sequence[Any]) -> list[str]:
    """What is wrong with `celery_worker_pools`, a sentence each; empty when nothing is."""
    problems = [
        problem for number, pool in enumerate(pools, 1) for problem in _problems(number, pool)
    ]
    names = Counter(pool.get("name") for pool in pools if isinstance(pool, Mapping))
    problems += [
        f"celery_worker_pools: {count} pools are named '{name}': give each its own name."
        for name, count in names.items()
        if name and count > 1
    ]
    return problems


def _problems(number: int, pool: Any) -> list[str]:
    if not isinstance(pool, Mapping):
        return [f"celery_worker_pools: entry {number} is no mapping: write it as 'name: …'."]
    name = pool.get("name")
    if not name:
        return [f"celery_worker_pools: entry {number} has no name: add 'name: …'."]
    where = f"celery_worker_pools: pool '{name}'"
    problems = []
    if not _NAME.match(str(name)):
        problems.append(
            f"{where}: the name must be of a-z, 0-9 and _, begin with a letter "
            "and not end in a digit."
        )
    if name in _RESERVED:
        problems.append(f"{where}: this name is kept for the service of that name: choose another.")
    known = (*OPTIONS, "profile", *LIMITS)
    for option in pool:
        if option not in known:
            problems.append(
                f"{where} has an unknown option '{option}'{did_you_mean(option, known)}."
            )
    problems += [
        f"{where} {problem}" for problem in (*_profile_problems(pool), *limit_problems(pool))
    ]
    kind = pool.get("kind", "prefork")
    if kind not in KINDS:
        problems.append(f"{where} has the unknown kind '{kind}': use {' or '.join(KINDS)}.")
    for option in ("concurrency", "instances", "prefetch_multiplier"):
        value = pool.get(option, 1)
        absent = option == "concurrency" and value is None
        if not absent and not _is_number(option, value):
            problems.append(f"{where} has {option} {value}: use a whole number of 1 or more.")
    problems += [f"{where} {problem}" for problem in _size_problems(pool, kind)]
    if not isinstance(pool.get("environment", {}), Mapping):
        problems.append(
            f"{where} has an environment that is no mapping: write it as 'NAME: value'."
        )
    if not isinstance(pool.get("extra_args", []), (list, tuple)):
        problems.append(
            f"{where} has extra_args that are no list: give each argument its own entry."
        )
    queues = pool.get("queues")
    if not isinstance(queues, (list, tuple)) or not queues:
        problems.append(f"{where} has no queues: list the queues it consumes under 'queues'.")
    else:
        problems += [
            f"{where} has a queue that is no name: '{queue}'."
            for queue in queues
            if not re.match(r"[\w.:@/-]+\Z", str(queue))
        ]
    return problems


def _profile_problems(pool: Mapping[str, Any]) -> list[str]:
    # A known profile has been resolved and is gone.
    if "profile" not in pool:
        return []
    return [f"has the unknown profile '{pool['profile']}': use {' or '.join(PROFILES)}."]


def _is_number(option: str, value: Any) -> bool:
    """Whether `value` is a number for `option`; a host may run no instance of a pool."""
    if option == "instances" and str(value) == "0":
        return True
    return _is_positive(value) or (option == "concurrency" and bool(CPUS.match(str(value))))


def _size_problems(pool: Mapping[str, Any], kind: Any) -> list[str]:
    autoscale = pool.get("autoscale")
    if autoscale is None:
        missing = pool.get("concurrency") is None
        return ["has no concurrency: say how many processes it runs."] if missing else []
    if pool.get("concurrency") is not None:
        return ["has both concurrency and autoscale: give one of them."]
    if kind not in SCALING_KINDS:
        return [f"is of kind '{kind}', which can't autoscale: give its concurrency instead."]
    if (
        not isinstance(autoscale, Mapping)
        or set(autoscale) != {"min", "max"}
        or not all(map(_is_positive, autoscale.values()))
        or int(autoscale["min"]) > int(autoscale["max"])
    ):
        return [
            f"has autoscale {autoscale}: give min and max, whole numbers of 1 or more, "
            "min not above max."
        ]
    return []


def _is_positive(value: Any) -> bool:
    return re.match(r"[1-9][0-9]*\Z", str(value)) is not None and not isinstance(value, bool)


def pool_instances(
    pools: Sequence[Mapping[str, Any]], host: str, numbers: Numbers | None = None
) -> list[dict[str, Any]]:
    """The instances that a host runs, each with its instance (cpu1), number, node and pool.

    `numbers` are those that they have, by pool; without them they are counted from 1.
    """
    numbers = numbers or {}
    return [
        {
            "instance": f"{pool['name']}{number}",
            "number": number,
            "node": f"{pool['name']}{number}@{host}",
            "pool": dict(pool),
        }
        for pool in pools
        for number in numbers.get(pool["name"]) or range(1, int(pool.get("instances", 1)) + 1)
    ]


def pool_range(pool: Mapping[str, Any]) -> tuple[int, int] | None:
    """The lowest and the highest number of processes of a pool that autoscales."""
    bounds = pool.get("autoscale")
    return (int(bounds["min"]), int(bounds["max"])) if bounds else None


def cluster_nodes(
    pools_by_host: Mapping[str, Sequence[Mapping[str, Any]]],
    release: str | None,
    numbers_by_host: Mapping[str, Numbers],
) -> dict[str, dict[str, Any]]:
    """Every worker node of the cluster as control.json lists it.

    `release` is None where the nodes can't tell theirs, since they load the plain application.
    """
    return {
        found["node"]: {
            "host": host,
            "pool": found["pool"]["name"],
            "kind": found["pool"].get("kind", "prefork"),
            "queues": list(found["pool"]["queues"]),
            **_sizes(found["pool"]),
            "release": release,
        }
        for host, pools in pools_by_host.items()
        for found in pool_instances(pools, host, numbers_by_host[host])
    }


def _sizes(pool: Mapping[str, Any]) -> dict[str, Any]:
    """How many processes a node starts with, and the range if it autoscales."""
    bounds = pool_range(pool)
    if bounds is None:
        return {"size": _size(pool["concurrency"])}
    return {"size": bounds[0], "autoscale": list(bounds)}


def _size(concurrency: Any) -> int:
    """The number of processes; 1 where the host's processors haven't been counted in this run."""
    return 1 if CPUS.match(str(concurrency)) else int(concurrency)
