# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: the pools of a host, from all that groups and hosts say of them.

Ansible lets the nearest definition of a variable replace the others. So what a group or a host has
to add stands in a variable of its own, `celery_worker_pools_<anything>`: each is a layer, whose
pools change those of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

BASE = "celery_worker_pools"
# Ready defaults, which what is said of the pool goes over.
PROFILES: dict[str, dict[str, Any]] = {
    "cpu": {"kind": "prefork", "concurrency": "cpus"},
    "io": {"kind": "gevent", "concurrency": 100},
}
# The packages that Celery's kinds take, as it asks for them.
PACKAGES = {"gevent": "gevent>=24.11", "eventlet": "eventlet>=0.40"}
CPUS = re.compile(r"cpus(?:\s*\*\s*([1-9][0-9]*))?\Z")


def is_layer(name: str) -> bool:
    """Whether a variable of that name is a layer of pools."""
    return re.match(rf"{BASE}_[a-z0-9_]+\Z", name) is not None


def host_pools(variables: Mapping[str, Any], default: Sequence[Any]) -> list[Any]:
    """The pools of the host with these `variables`; `default` where it has none of its own.

    Layers count in the order of their names. Numbers stand for `cpus` where the host's processors
    have been counted. What is no pool is passed on, for `pool_problems`.
    """
    layers = [variables[name] for name in sorted(variables) if is_layer(name)]
    pools = merged([variables.get(BASE, default), *layers])
    cpus = (variables.get("ansible_facts") or {}).get("processor_nproc")
    return [_ready(pool, cpus) if isinstance(pool, Mapping) else pool for pool in pools]


def cluster_pools(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], default: Sequence[Any]
) -> list[Mapping[str, Any]]:
    """The pools that any of the hosts runs."""
    return [
        pool
        for host in hosts
        for pool in host_pools(hostvars[host], default)
        if isinstance(pool, Mapping) and str(pool.get("instances", 1)) != "0"
    ]


def merged(layers: Sequence[Sequence[Any]]) -> list[Any]:
    """The pools of all layers; a later one's options and single environment variables win."""
    pools: list[Any] = list(layers[0])
    for pool in (pool for layer in layers[1:] for pool in layer):
        name = pool.get("name") if isinstance(pool, Mapping) else None
        at = next((at for at, known in enumerate(pools) if _is_named(known, name)), None)
        if at is None:
            pools.append(pool)
        else:
            pools[at] = _over(pools[at], pool)
    return pools


def _is_named(pool: Any, name: Any) -> bool:
    return isinstance(pool, Mapping) and name is not None and pool.get("name") == name


def _over(below: Mapping[str, Any], pool: Mapping[str, Any]) -> dict[str, Any]:
    options = {**below, **pool}
    own, further = below.get("environment"), pool.get("environment")
    if isinstance(own, Mapping) and isinstance(further, Mapping):
        options["environment"] = {**own, **further}
    # A pool has one of the two: the later one.
    for given, other in (("autoscale", "concurrency"), ("concurrency", "autoscale")):
        if given in pool and other not in pool:
            options.pop(other, None)
    return options


def _ready(pool: Mapping[str, Any], cpus: int | None) -> dict[str, Any]:
    """`pool` with the defaults of its profile, and with numbers for `cpus` where they are known."""
    profile = PROFILES.get(str(pool.get("profile")), {})
    options = _over(profile, {name: pool[name] for name in pool if name != "profile"})
    if "profile" in pool and not profile:
        options["profile"] = pool["profile"]
    if cpus and "concurrency" in options:
        options["concurrency"] = in_numbers(options["concurrency"], cpus)
    return options


def in_numbers(size: Any, cpus: int) -> Any:
    """`size`, where `cpus` and `cpus*2` mean so many."""
    found = CPUS.match(str(size))
    return cpus * int(found.group(1) or 1) if found else size


def pool_packages(pools: Iterable[Mapping[str, Any]]) -> list[str]:
    """The pip requirements that the kinds of these pools take."""
    kinds = {str(pool.get("kind")) for pool in pools}
    return [PACKAGES[kind] for kind in sorted(kinds & PACKAGES.keys())]
