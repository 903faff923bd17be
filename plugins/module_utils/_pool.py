# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The pools of nodes: what they are, what they should be, and the command in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError

CEILING = 1000
RESIZABLE = frozenset({"prefork", "gevent", "eventlet"})
RESTARTABLE = frozenset({"prefork"})
# Celery's name of the module, where it isn't the name of the kind.
_KINDS = {"thread": "threads"}


@dataclass(frozen=True)
class Range:
    """The bounds of a pool under `--autoscale`."""

    min: int
    max: int

    def __str__(self) -> str:
        return f"{self.max},{self.min}"


@dataclass(frozen=True)
class Restart:
    """As many processes as there are, all of them new."""


Step: TypeAlias = "int | Range"
Target: TypeAlias = "Step | Restart"


@dataclass(frozen=True)
class PoolState:
    """A node's pool.

    Attributes:
        kind: prefork, threads, solo, gevent or eventlet.
        size: The number of processes that are there, or of greenlets that are allowed.
        autoscale: The bounds, under `--autoscale`.
        processes: The process ids, of kinds that have processes.
    """

    kind: str
    size: int
    autoscale: Range | None = None
    processes: tuple[int, ...] = ()

    def shown(self, target: Target) -> Any:
        """The part of the state that a target is about, for results and diffs."""
        if isinstance(target, int):
            return self.size
        if isinstance(target, Restart):
            return sorted(self.processes)
        return shown(self.autoscale) if self.autoscale else None

    def reached(self, step: Step) -> bool:
        """Whether the pool is as it should be."""
        if isinstance(step, int):
            return self.size == step
        return self.autoscale == step and step.min <= self.size <= step.max


@dataclass(frozen=True)
class Change:
    """The command that brings a pool to its target.

    Attributes:
        ends_processes: Whether the node must be paused and idle first.
        moves_prefetch: Whether the number of tasks that the node holds in advance changes.
    """

    command: str
    arguments: Mapping[str, int]
    ends_processes: bool
    moves_prefetch: bool = True


def shown(target: Target) -> Any:
    """A target as results and diffs show it; the ids of processes to come aren't known."""
    if isinstance(target, Range):
        return {"min": target.min, "max": target.max}
    return target if isinstance(target, int) else None


def target_of(
    size: int | None, autoscale_min: int | None, autoscale_max: int | None, restarted: bool = False
) -> Target:
    """Check what the user asked for.

    Raises:
        CeleryOpsError: It isn't one thing, or a size or a bound is out of range.
    """
    if restarted:
        if (size, autoscale_min, autoscale_max) != (None, None, None):
            raise CeleryOpsError(
                "a restart keeps the size: give `restarted` in a task of its own, without `size`, "
                "`autoscale_min` and `autoscale_max`."
            )
        return Restart()
    if size is not None:
        _check_bounds("size", size)
        return size
    if autoscale_min is None or autoscale_max is None:
        raise CeleryOpsError(
            "give either `size`, or both `autoscale_min` and `autoscale_max`, or `restarted: true`."
        )
    _check_bounds("autoscale_min", autoscale_min)
    _check_bounds("autoscale_max", autoscale_max)
    if autoscale_min > autoscale_max:
        raise CeleryOpsError(
            f"`autoscale_min` ({autoscale_min}) is above `autoscale_max` ({autoscale_max})."
        )
    return Range(autoscale_min, autoscale_max)


def read_state(stats: Mapping[str, Any]) -> PoolState:
    """A node's pool by its `stats`.

    The processes are counted: `max-concurrency` keeps the size that prefork started with, while
    for greenlets it is the only number there is.
    """
    pool = stats["pool"]
    processes = tuple(pool.get("processes", ()))
    module = str(pool["implementation"]).partition(":")[0].rpartition(".")[2]
    bounds = stats.get("autoscaler")
    return PoolState(
        kind=_KINDS.get(module, module),
        size=len(processes) if "processes" in pool else int(pool["max-concurrency"]),
        autoscale=Range(bounds["min"], bounds["max"]) if bounds else None,
        processes=processes,
    )


def refuse_fixed_pools(cluster: Cluster, nodes: Iterable[str], target: Target) -> None:
    """Refuse pools that can't be resized or restarted, by the inventory alone.

    Raises:
        CeleryOpsError: One of the nodes has such a pool.
    """
    for name in nodes:
        node = cluster.nodes.get(name)
        if node and (reason := _fixed(name, node.kind, target)):
            raise CeleryOpsError(reason)


def refusal(node: str, state: PoolState, target: Target) -> str | None:
    """Why a node can't be brought to the target at all; None if it can."""
    if reason := _fixed(node, state.kind, target):
        return reason
    if isinstance(target, Restart) and state.autoscale:
        return (
            f"{node} runs under --autoscale={state.autoscale}, which replaces and ends processes "
            "itself: restart its service instead."
        )
    if isinstance(target, int) and state.autoscale:
        return (
            f"{node} runs under --autoscale={state.autoscale}, which would undo a size: "
            "give `autoscale_min` and `autoscale_max` instead of `size`."
        )
    if isinstance(target, Range) and not state.autoscale:
        return (
            f"{node} doesn't run under --autoscale, which can't be switched on live: "
            "give `size` instead of a range."
        )
    return None


def steps_to(state: PoolState, target: Target) -> list[Step]:
    """The sizes or the range that a pool is brought to, one after the other.

    A restart doubles the pool and halves it again, which ends the older processes: Celery's own
    `pool_restart` answers "ok" and leaves idle processes as they are.
    """
    return [2 * state.size, state.size] if isinstance(target, Restart) else [target]


def change_for(state: PoolState, step: Step) -> Change | None:
    """The command that brings a pool to a size or range; None if it is there already."""
    if state.reached(step):
        return None
    if isinstance(step, Range):
        return Change(
            "autoscale",
            {"max": step.max, "min": step.min},
            ends_processes=state.size > step.max,
            moves_prefetch=state.autoscale is None or state.autoscale.max != step.max,
        )
    if step > state.size:
        return Change("pool_grow", {"n": step - state.size}, ends_processes=False)
    return Change("pool_shrink", {"n": state.size - step}, ends_processes=True)


def _check_bounds(name: str, value: int) -> None:
    if not 1 <= value <= CEILING:
        raise CeleryOpsError(
            f"`{name}` must be from 1 to {CEILING}, not {value}: without a process a worker takes "
            "tasks and never runs them (stop its service to stop work)."
            if value < 1
            else f"`{name}` must be from 1 to {CEILING}, not {value}: that many processes on one "
            "node are taken for a slip."
        )


def _fixed(node: str, kind: str, target: Target) -> str | None:
    if isinstance(target, Restart):
        if kind in RESTARTABLE:
            return None
        return (
            f"{node} has a pool of kind {kind}, which has no processes of its own to restart: "
            "restart its service instead."
        )
    if kind in RESIZABLE:
        return None
    return (
        f"{node} has a pool of kind {kind}, which can't be resized live: change the pool's "
        "`concurrency` in the inventory and run the playbook celeryops.cluster.site."
    )
