# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Which nodes a module acts on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies

ALL = "all"
BEAT = "celerybeat@"
DIRECT_QUEUE = ".dq2"


@dataclass(frozen=True)
class Selection:
    """What the user asked for.

    Attributes:
        nodes: Names and globs; empty for the nodes of the host, `all` for the whole cluster.
        pool: The pool that the nodes must belong to.
        anywhere: Whether an empty `nodes` means the whole cluster on a host without nodes.
    """

    nodes: Sequence[str] = ()
    pool: str | None = None
    anywhere: bool = True

    @property
    def everything(self) -> bool:
        return ALL in self.nodes

    @property
    def unbounded(self) -> bool:
        """Whether it names no node and no pool, only the whole cluster or nothing."""
        return self.pool is None and (self.everything or not self.nodes)


class Pinger(Protocol):
    """What is needed of a control client to find nodes."""

    def call(self, command: str) -> Replies: ...


def selected(client: Pinger, cluster: Cluster, selection: Selection) -> list[str]:
    """The selected nodes, by the inventory or else by those that answer a ping, sorted.

    Raises:
        CeleryOpsError: A name, a glob or the pool matches no node, or `nodes` must be given.
    """
    if cluster.app is not None:
        return known_nodes(cluster, selection)
    if not selection.nodes and not selection.anywhere:
        raise CeleryOpsError("with `broker_url` the nodes must be named: give `nodes`.")
    plain = [name for name in selection.nodes if name != ALL and not _is_glob(name)]
    if plain and len(plain) == len(selection.nodes):
        return answering_nodes((), selection)
    return answering_nodes(client.call("ping").answers, selection)


def known_nodes(cluster: Cluster, selection: Selection) -> list[str]:
    """The selected nodes of a cluster whose inventory is known, sorted.

    Raises:
        CeleryOpsError: A name, a glob or the pool matches no node, or `nodes` must be given.
    """
    candidates = _of_pool(cluster, selection.pool)
    if selection.everything:
        return sorted(candidates)
    if selection.nodes:
        return _matching(candidates, selection, f"app '{cluster.app}'")
    local = cluster.local_nodes()
    if local:
        chosen = [name for name in candidates if name in local]
        if not chosen:
            raise CeleryOpsError(
                f"host {cluster.host} runs no node of pool '{selection.pool}': "
                "name the nodes by `nodes`, or give `nodes: all`."
            )
        return sorted(chosen)
    if selection.anywhere:
        return sorted(candidates)
    raise CeleryOpsError(
        f"host {cluster.host} runs no node of app '{cluster.app}': "
        "name the nodes by `nodes`, or give `nodes: all`."
    )


def answering_nodes(answered: Iterable[str], selection: Selection) -> list[str]:
    """The selected nodes of a cluster of which only those that answered are known, sorted.

    A plain name is selected though it didn't answer: it was expected, beside `all` as well.

    Raises:
        CeleryOpsError: A glob or the pool matches no node.
    """
    candidates = [name for name in answered if not name.startswith(BEAT)]
    if selection.pool:
        candidates = [name for name in candidates if pool_of(name) == selection.pool]
    plain = [name for name in selection.nodes if name != ALL and not _is_glob(name)]
    if selection.everything or not selection.nodes:
        return sorted({*candidates, *plain})
    return _matching([*candidates, *plain], selection, "this broker")


def pool_of(name: str) -> str:
    """The pool of a node by its name, `<pool><number>@<host>`."""
    return re.sub(r"\d*@.*$", "", name)


def is_direct_queue(name: str) -> bool:
    """Whether a queue is a node's own, from which it consumes even while it is paused."""
    return name.endswith(DIRECT_QUEUE)


def listed(names: Iterable[str]) -> str:
    """The names for a sentence, the first ten of them when there are more."""
    ordered = sorted(names)
    more = f" and {len(ordered) - 10} more" if len(ordered) > 10 else ""
    return (", ".join(ordered[:10]) or "none") + more


def _of_pool(cluster: Cluster, pool: str | None) -> list[str]:
    if pool is None:
        return list(cluster.nodes)
    pools = {node.pool for node in cluster.nodes.values()}
    if pool not in pools:
        raise CeleryOpsError(f"no pool '{pool}' in app '{cluster.app}'; known: {listed(pools)}.")
    return [name for name, node in cluster.nodes.items() if node.pool == pool]


def _matching(candidates: Iterable[str], selection: Selection, where: str) -> list[str]:
    candidates = list(candidates)
    chosen: set[str] = set()
    for pattern in selection.nodes:
        matches = [name for name in candidates if name == pattern or fnmatchcase(name, pattern)]
        if not matches:
            of_pool = f" of pool '{selection.pool}'" if selection.pool else ""
            raise CeleryOpsError(
                f"no node{of_pool} of {where} matches '{pattern}'; known: {listed(candidates)}."
            )
        chosen.update(matches)
    return sorted(chosen)


def _is_glob(pattern: str) -> bool:
    return any(character in pattern for character in "*?[")
