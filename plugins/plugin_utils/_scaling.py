# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: hosts and pools that are scaled or drained, and who is left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    is_direct_queue,
    listed,
    pool_of,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import CEILING, RESIZABLE
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import RANGE, SIZE
from ansible_collections.celeryops.cluster.plugins.plugin_utils._guesses import did_you_mean

Nodes = Mapping[str, Mapping[str, Any]]


def names(given: str | Iterable[Any]) -> list[str]:
    """The names in a list, or in a text with commas, as the command line gives it."""
    parts = given.split(",") if isinstance(given, str) else map(str, given)
    return [part.strip() for part in parts if part.strip()]


def left_out(given: str | Iterable[Any]) -> str:
    """The end of a play's `hosts` that leaves these out."""
    return "".join(f":!{name}" for name in names(given))


def scale_problems(
    nodes: Nodes,
    sizes: Any,
    hosts: Collection[str],
    leaving: Collection[str],
) -> list[str]:
    """What is wrong with what the playbook `scale` is asked for, a sentence each.

    Args:
        nodes: The nodes of the inventory, as control.json lists them.
        sizes: By pool, the number of processes, or `min` and `max` of one that autoscales.
        hosts: Those of the run.
        leaving: Those that leave the cluster.
    """
    if not sizes and not leaving:
        return [
            "Nothing is asked for: give celery_worker_sizes, celery_worker_remove or "
            "celery_worker_remove_dead; a new host comes in by the playbook site and --limit."
        ]
    if not isinstance(sizes, Mapping):
        return ["celery_worker_sizes is no mapping: write it as {pool: size}."]
    problems = [
        f"celery_worker_sizes: {problem}"
        for pool, size in sizes.items()
        for problem in _size_problems(nodes, pool, size, set(hosts) - set(leaving))
    ]
    return problems + _leaving_problems(nodes, leaving)


def drain_problems(
    nodes: Nodes, hosts: Collection[str], pool: str, queues: Sequence[str]
) -> list[str]:
    """What is wrong with what the playbook `drain` is asked for, a sentence each.

    Args:
        nodes: The nodes of the inventory, as control.json lists them.
        hosts: Those of the run.
        pool: The only pool that is drained; empty for all.
        queues: The only queues that are; empty for all.
    """
    problems = []
    if pool:
        problems += [
            f"celery_worker_drain_pool: {problem}" for problem in _pool_problems(nodes, pool, hosts)
        ]
    known = _queues(nodes.values())
    return problems + [
        f"celery_worker_drain_queues: no pool of the inventory consumes from '{queue}'"
        f"{did_you_mean(queue, known)}: it has {listed(known)}."
        for queue in queues
        if queue not in known
    ]


def unserved_queues(
    nodes: Nodes, answers: Mapping[str, Any], hosts: Collection[str], pool: str = ""
) -> list[str]:
    """The queues that nobody consumes from any more when hosts, or a pool of theirs, stop.

    Both count: the nodes that the inventory has, and those that consume now. So a node that is
    drained already, or dead, is no consumer that is left.

    Args:
        nodes: The nodes of the inventory, as control.json lists them.
        answers: By node, its `active_queues`.
        hosts: Those that stop.
        pool: The only pool of theirs that does; empty for all.
    """
    consuming = [
        {
            "host": name.partition("@")[2],
            "pool": pool_of(name),
            "queues": [
                queue["name"]
                for queue in answer["active_queues"] or []
                if not is_direct_queue(queue["name"])
            ],
        }
        for name, answer in answers.items()
    ]
    lost: set[str] = set()
    for each in (list(nodes.values()), consuming):
        staying = [
            node
            for node in each
            if node["host"] not in hosts or node["pool"] != (pool or node["pool"])
        ]
        lost |= _queues(each) - _queues(staying)
    return sorted(lost)


def pool_resizes(
    pools: Iterable[Mapping[str, Any]], sizes: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What `celery_pool` is told of the pools of a host: `pool` and `size`, or `min` and `max`.

    Args:
        pools: The pools of the host.
        sizes: By pool, its size.
    """
    present = [pool["name"] for pool in pools if str(pool.get("instances", 1)) != "0"]
    return [
        {"pool": name, **(size if isinstance(size, Mapping) else {"size": size})}
        for name, size in sizes.items()
        if name in present
    ]


def size_lines(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each node that is resized: from what to what, and what the inventory says.

    Args:
        results: What `celery_pool` returned.
    """
    return [
        f"{node}: {_change(values)}, {_against(result['persisted'])}"
        for result in results
        for node, values in sorted(result.get("nodes", {}).items())
    ]


def known_nodes(control: Mapping[str, Any], hosts: Collection[str], nodes: Nodes) -> dict[str, Any]:
    """What a control file holds, once it lists just these nodes of some hosts.

    Args:
        control: What it holds.
        hosts: The hosts.
        nodes: Their nodes; none if they have left.
    """
    others = {name: node for name, node in control["nodes"].items() if node["host"] not in hosts}
    return {**control, "nodes": {**others, **nodes}}


def _size_problems(nodes: Nodes, pool: str, size: Any, hosts: Collection[str]) -> list[str]:
    if problems := _pool_problems(nodes, pool, hosts):
        return problems
    concerned = [node for node in nodes.values() if node["pool"] == pool and node["host"] in hosts]
    kinds = {node["kind"] for node in concerned} - RESIZABLE
    if kinds:
        return [
            f"pool '{pool}' is of kind {listed(kinds)}, which can't be resized live: change its "
            "concurrency in the inventory and run the playbook rolling_update."
        ]
    ranged = {"autoscale" in node for node in concerned}
    if ranged == {True}:
        return _range_problems(pool, size)
    if ranged == {True, False}:
        return [f"pool '{pool}' autoscales on some hosts only: name hosts alike by --limit."]
    if isinstance(size, Mapping):
        return [f"pool '{pool}' doesn't autoscale: give a number instead of a range."]
    if not _is_size(size):
        return [f"pool '{pool}' can't have size {size}: give a whole number from 1 to {CEILING}."]
    return []


def _range_problems(pool: str, size: Any) -> list[str]:
    if (
        isinstance(size, Mapping)
        and set(size) == {"min", "max"}
        and all(map(_is_size, size.values()))
        and int(size["min"]) <= int(size["max"])
    ):
        return []
    return [
        f"pool '{pool}' autoscales: give min and max, whole numbers from 1 to {CEILING}, min not "
        f"above max, instead of {size}."
    ]


def _is_size(value: Any) -> bool:
    text = str(value)
    return not isinstance(value, bool) and text.isdecimal() and 1 <= int(text) <= CEILING


def _pool_problems(nodes: Nodes, pool: str, hosts: Collection[str]) -> list[str]:
    known = {node["pool"] for node in nodes.values()}
    if pool not in known:
        guess = did_you_mean(pool, known)
        return [f"no pool is named '{pool}'{guess}: the inventory has {listed(known)}."]
    with_pool = {node["host"] for node in nodes.values() if node["pool"] == pool}
    if not with_pool & set(hosts):
        return [f"no host of this run has pool '{pool}': name one of {listed(with_pool)}."]
    return []


def _leaving_problems(nodes: Nodes, leaving: Collection[str]) -> list[str]:
    known = {node["host"] for node in nodes.values()}
    problems = [
        f"celery_worker_remove: no host of celery_worker is named '{host}'"
        f"{did_you_mean(host, known)}: it has {listed(known)}."
        for host in leaving
        if host not in known
    ]
    if not problems and known and not known - set(leaving):
        return ["celery_worker_remove names all hosts of celery_worker: leave one of them."]
    return problems


def _queues(nodes: Iterable[Mapping[str, Any]]) -> set[str]:
    return {queue for node in nodes for queue in node["queues"]}


def _change(values: Mapping[str, Any]) -> str:
    before, after = _size(values["before"]), _size(values["after"])
    return f"{before} already" if before == after else f"{before} -> {after}"


def _size(value: Any) -> str:
    return f"{value['min']} to {value['max']}" if isinstance(value, Mapping) else str(value)


def _against(persisted: Mapping[str, Mapping[str, Any]]) -> str:
    """What the inventory says beside it; the file of the pool tells where it differs."""
    kept = {name: text for file in persisted.values() for name, text in file["after"].items()}
    if SIZE.declared in kept:
        declared = kept[SIZE.declared]
    elif RANGE.declared in kept:
        highest, _comma, lowest = kept[RANGE.declared].partition(",")
        declared = f"{lowest} to {highest}"
    else:
        return "as the inventory says"
    return f"where the inventory says {declared}, which counts again once it is changed there"
