# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What the modules that change nodes share: what they refuse, and what they tell in the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import PoolFile
from ansible_collections.celeryops.cluster.plugins.module_utils._tracker import Tracker

T = TypeVar("T")

# Seconds between two readings.
POLL_INTERVAL = 0.1
# By how much the last reading may overrun the time-out: without it nobody would know what has
# become of a change.
LAST_READING_SECONDS = 1.0
# What has become of a node.
SILENT_BEFORE = "stopped answering before its change"
SILENT_AFTER = "stopped answering after the change was sent: whether it was carried out is unknown"
NOT_SHOWN = "confirmed the change and doesn't show it: look into its log, and run the module again"
# What has become of nodes that were silent when they were read.
LEFT_ALONE = "didn't answer and got no change (check the service of each, and run the module again)"


def by_value(values: Mapping[str, Sequence[T]]) -> list[tuple[T, list[str]]]:
    """Each of the nodes' values with the nodes that have it, equal values together."""
    entries: list[tuple[T, list[str]]] = []
    for node, own in values.items():
        for value in own:
            nodes = next((nodes for known, nodes in entries if known == value), None)
            if nodes is None:
                entries.append((value, [node]))
            else:
                nodes.append(node)
    return entries


def refuse_no_node(nodes: Collection[str]) -> None:
    """Refuse to change nothing.

    Raises:
        CeleryOpsError: There is no node.
    """
    if not nodes:
        raise CeleryOpsError("no worker node was found: check that the workers run.")


def refuse_duplicates(duplicates: Sequence[str]) -> None:
    """Refuse a name that more than one worker bears.

    Raises:
        CeleryOpsError: There is one.
    """
    if duplicates:
        raise CeleryOpsError(
            f"more than one worker bears the name {duplicates[0]}, and each would be changed: "
            "give each its own (option -n of the worker)."
        )


def note_duplicates(client: Client, errors: dict[str, str]) -> None:
    """Note the names of which a second worker answered only after the change was sent."""
    for node in client.duplicates:
        errors[node] = "is the name of more than one worker, and each was changed"


def unknown_outcome(error: BrokerError) -> str:
    """What has become of a node to which a change was sent when the broker failed."""
    return f"may have been changed or not: {error.clause}"


def result_of(
    client: Client,
    values: Mapping[str, tuple[Any, Any]],
    missing: Sequence[str],
    errors: Mapping[str, str],
    files: Sequence[PoolFile] | None = None,
) -> dict[str, Any]:
    """The result of a module.

    Args:
        client: The client, which knows of duplicates.
        values: The values before and after, by node.
        missing: The nodes that were silent.
        errors: Why nodes aren't as they should be.
        files: Where the values are kept for the next start of the nodes. What no node has, or some
            couldn't be given, isn't kept. None where nothing ever is.
    """
    tracker = Tracker()
    for node, (before, after) in values.items():
        tracker.add("nodes", node, before=before, after=after)
    kept = files if files and values and not errors else ()
    for file in kept:
        tracker.add("persisted", file.pool, before=file.before, after=file.after)
    persisted = {} if files is None else {"persisted": tracker.values("persisted")}
    return {
        "changed": tracker.changed,
        "diff": tracker.diff(),
        "nodes": tracker.values("nodes"),
        **persisted,
        "missing": list(missing),
        "errors": dict(errors),
        "duplicates": client.duplicates,
    }


def keep(files: Sequence[PoolFile], result: dict[str, Any]) -> None:
    """Write those of the files that the result names.

    Raises:
        CeleryOpsError: A file can't be written; with the result.
    """
    try:
        for file in files:
            if file.pool in result["persisted"]:
                file.write()
    except CeleryOpsError as error:
        raise CeleryOpsError(str(error), result) from error


def concluded(
    result: dict[str, Any],
    goal: str,
    *,
    missing: Sequence[str] | None = None,
    silence: str = LEFT_ALONE,
) -> dict[str, Any]:
    """A result that has all nodes as they should be.

    Args:
        result: The result.
        goal: What all nodes should do or be, as the end of a sentence.
        missing: Those of the silent nodes that count; all by default.
        silence: What has become of them.

    Raises:
        CeleryOpsError: Some are not; with the result.
    """
    errors, missing = result["errors"], result["missing"] if missing is None else missing
    parts = [f"{node} {text}" for node, text in sorted(errors.items())[:3]]
    if len(errors) > 3:
        parts.append(f"{len(errors) - 3} more nodes failed (see `errors`)")
    if missing:
        parts.append(f"{listed(missing)} {silence}")
    if parts:
        raise CeleryOpsError(f"Not all nodes {goal}: {'; '.join(parts)}.", result)
    return result
