# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: which numbers the instances of a pool have on a host.

They are the state of the host, not of the inventory, which only says how many there should be. An
instance that should run has its environment file. One that ends in its own time has nothing but its
link to a release.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

# The last digits are the number: no pool's name ends in one.
_INSTANCE = re.compile(r"(.*[^0-9])([1-9][0-9]*)\Z")
_KEPT = "previous"


def pool_of(instance: str) -> str | None:
    """The pool of an instance by its name, `<pool><number>`; None if it is none."""
    found = _INSTANCE.match(instance)
    return found.group(1) if found else None


def host_instances(paths: Iterable[str], others: Collection[str] = ()) -> dict[str, list[str]]:
    """The instances of pools that have left traces on a host.

    Args:
        paths: The environment files and links on the host, and what an unfinished change has kept.
        others: Services whose names look alike, such as a program `web2`.

    Returns:
        `started`, those that should run; `kept`, those that an unfinished change began with; and
        `left`, those that have nothing but their link.
    """
    found = [Path(path) for path in paths]
    files = [path for path in found if path.suffix == ".env" and _is_instance(path.stem, others)]
    links = {path.name for path in found if _is_instance(path.name, others)}
    started = {path.stem for path in files if path.parent.name != _KEPT}
    complete = any(path.parent.name == _KEPT and path.name == "complete" for path in found)
    kept = {path.stem for path in files if path.parent.name == _KEPT and complete}
    linked = links - {path.name for path in found if path.parent.name == _KEPT}
    return {
        "started": sorted(started),
        "kept": sorted(kept),
        "left": sorted(linked - started),
    }


def node_instances(nodes: Iterable[str], host: str) -> dict[str, list[str]]:
    """The instances of a host that wasn't looked at, by the names of the nodes that are known."""
    return {"started": [node.partition("@")[0] for node in nodes if node.endswith(f"@{host}")]}


def instance_units(names: Iterable[str], app: str) -> list[dict[str, str]]:
    """The instances with the names of their units and unit files."""
    return [
        {
            "instance": name,
            "unit": f"celery-{app}-{pool}@{number}.service",
            "unit_file": f"celery-{app}-{pool}@.service",
        }
        for name in names
        for pool, number in [_split(name)]
    ]


def instance_numbers(
    pools: Iterable[Mapping[str, Any]], instances: Mapping[str, Sequence[str]]
) -> dict[str, list[int]]:
    """By pool, the numbers that its instances should have on a host.

    They keep those that they have; the lowest that are free are taken, the highest are given up.

    Args:
        pools: The pools of the host.
        instances: Those that are `started`; of these, the ones that are `kept` by an unfinished
            change, and the ones `leaving`, which others are to replace; and those that are still
            `ending`.
    """
    return {pool["name"]: _numbers(pool, instances) for pool in pools}


def _numbers(pool: Mapping[str, Any], instances: Mapping[str, Sequence[str]]) -> list[int]:
    wanted = int(pool.get("instances", 1))
    started, kept, leaving, ending = (
        {number for name, number in map(_split, instances.get(state, ())) if name == pool["name"]}
        for state in ("started", "kept", "leaving", "ending")
    )
    # What an unfinished change has begun stays rather than what it was to replace.
    stay = sorted(started - leaving, key=lambda number: (number in kept, number))[:wanted]
    free = (number for number in count(1) if number not in started | ending)
    return sorted([*stay, *islice(free, wanted - len(stay))])


def _is_instance(name: str, others: Collection[str]) -> bool:
    return pool_of(name) is not None and name not in others


def _split(instance: str) -> tuple[str, int]:
    pool = pool_of(instance)
    if pool is None:
        raise ValueError(f"'{instance}' is no instance of a pool")
    return pool, int(instance.removeprefix(pool))
