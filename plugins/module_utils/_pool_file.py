# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The live values of a pool, kept for the next start of its workers.

The file overrides what the inventory declares. Beside each live value it holds the declared one, so
that a later change of the inventory wins over the file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    CONFIGURATION,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed


@dataclass(frozen=True)
class Setting:
    """What can be kept of a pool.

    Attributes:
        what: Its name in sentences.
        declared: The variable with the inventory's value, by which its changes are noticed.
        live: The variable that Celery reads.
    """

    what: str
    declared: str
    live: str


SIZE = Setting("size", "CELERYOPS_DECLARED_SIZE", "CELERY_WORKER_CONCURRENCY")
RANGE = Setting("range", "CELERYOPS_DECLARED_RANGE", "CELERY_WORKER_AUTOSCALE")
QUEUES = Setting("list of queues", "CELERYOPS_DECLARED_QUEUES", "CELERY_WORKER_QUEUES")
SETTINGS = (SIZE, RANGE, QUEUES)
# The limits of tasks, which the inventory may declare or the app: the workers know, and compare.
TASK_LIMITS = "CELERYOPS_TASK_LIMITS"


@dataclass(frozen=True)
class PoolFile:
    """A pool's file, as it is and as it should be.

    Attributes:
        before: What it holds; empty where there is none.
        after: What it should hold; empty where there should be none, since all values are the
            declared ones.
    """

    pool: str
    path: Path
    before: dict[str, str]
    after: dict[str, str]

    def with_values(self, names: Collection[str], values: Mapping[str, str]) -> PoolFile:
        """The same file with other values of some names; those of each setting side by side."""
        after = {name: text for name, text in self.after.items() if name not in names}
        after |= values
        order = [
            *(name for known in SETTINGS for name in (known.declared, known.live)),
            TASK_LIMITS,
        ]
        return replace(self, after={name: after[name] for name in order if name in after})

    def write(self) -> None:
        """Bring the file to its state, at once and whole.

        Raises:
            CeleryOpsError: The file can't be written.
        """
        try:
            if self.after and self.after != self.before:
                _write(self.path, self.after)
            elif self.before and not self.after:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            raise CeleryOpsError(
                f"{self.path} can't be written ({error.strerror}): what was set live isn't kept "
                "for the next start."
            ) from error


def refuse_unkept(cluster: Cluster) -> None:
    """Refuse to keep anything where no inventory is known, whatever the nodes.

    Raises:
        CeleryOpsError: The app isn't known.
    """
    if cluster.app is None:
        raise CeleryOpsError(
            "a live value can be kept only with `app`: set `persist: false` to change it until "
            "the next start of the workers."
        )


def pool_files(
    cluster: Cluster,
    nodes: Collection[str],
    setting: Setting,
    change: Callable[[str], str],
    configuration: Path = CONFIGURATION,
) -> list[PoolFile]:
    """The files that keep a value for some nodes of the host.

    Args:
        cluster: The cluster.
        nodes: The nodes.
        setting: What is kept.
        change: Gives the new value from the present one, which is the one in the file, or else the
            declared one.
        configuration: The directory that holds one directory for each app.

    Raises:
        CeleryOpsError: The value can't be kept for exactly these nodes, or not on this host.
    """
    pools = {cluster.nodes[name].pool: cluster.nodes[name] for name in nodes}
    files = []
    for file in opened_files(cluster, nodes, setting.what, configuration):
        node = pools[file.pool]
        declared = declared_value(node, setting)
        if not declared:
            raise CeleryOpsError(
                f"the inventory declares no {setting.what} for pool '{file.pool}', and what is "
                "kept only overrides that: declare it there, or set `persist: false`."
            )
        value = change(present_value(file.before, node, setting))
        kept = {} if value == declared else {setting.declared: declared, setting.live: value}
        files.append(file.with_values((setting.declared, setting.live), kept))
    return files


def opened_files(
    cluster: Cluster, nodes: Collection[str], what: str, configuration: Path = CONFIGURATION
) -> list[PoolFile]:
    """The files of the pools of some nodes of the host, as they are.

    Args:
        cluster: The cluster.
        nodes: The nodes.
        what: What is to be kept of them, for sentences.
        configuration: The directory that holds one directory for each app.

    Raises:
        CeleryOpsError: Nothing can be kept for exactly these nodes, or not on this host.
    """
    foreign = [name for name in nodes if cluster.nodes[name].host != cluster.host]
    if foreign:
        raise CeleryOpsError(
            f"the {what} of {listed(foreign)} can be kept only on its own host, and this is "
            f"{cluster.host}: run the module there, or set `persist: false`."
        )
    pools = {cluster.nodes[name].pool for name in nodes}
    left_out = [
        name
        for name in cluster.local_nodes()
        if cluster.nodes[name].pool in pools and name not in nodes
    ]
    if left_out:
        raise CeleryOpsError(
            f"the {what} would be kept for the whole pool, {listed(left_out)} included: "
            "name all nodes of the pool on this host, or set `persist: false`."
        )
    directory = _directory(cluster, configuration)
    if not os.access(directory, os.W_OK):
        raise CeleryOpsError(
            f"{directory} is missing or can't be written: run the playbook celeryops.cluster.site, "
            "and this task with `become: true`."
        )
    paths = {pool: directory / f"{pool}.env" for pool in sorted(pools)}
    contents = {pool: _read(path) for pool, path in paths.items()}
    return [PoolFile(pool, paths[pool], values, values) for pool, values in contents.items()]


def kept_value(
    cluster: Cluster, node: Node, setting: Setting, configuration: Path = CONFIGURATION
) -> str:
    """The value that a node of this host starts with: the live one, or else the declared one."""
    values = _read(_directory(cluster, configuration) / f"{node.pool}.env")
    return present_value(values, node, setting)


def declared_value(node: Node, setting: Setting) -> str:
    """The inventory's value as the variable of the environment has it; empty where it has none."""
    if setting is SIZE:
        return str(node.size)
    if setting is RANGE:
        return "{1},{0}".format(*node.autoscale) if node.autoscale else ""
    return ",".join(node.queues)


def present_value(values: Mapping[str, str], node: Node, setting: Setting) -> str:
    """The value that a node starts with, where its pool's file holds some values."""
    declared = declared_value(node, setting)
    # A live value that the inventory has overtaken doesn't count; the role is about to drop it.
    overtaken = values.get(setting.declared) != declared
    return declared if overtaken else values.get(setting.live, declared)


def _directory(cluster: Cluster, configuration: Path) -> Path:
    return configuration / str(cluster.app) / "pools"


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CeleryOpsError(
            f"{path} can't be read ({error.strerror}): run the task with `become: true`."
        ) from error
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, sign, value in pairs if sign}


def _write(path: Path, values: dict[str, str]) -> None:
    # Readable for the group of the directory, like the files beside it.
    group = path.parent.stat().st_gid
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.writelines(f"{name}={value}\n" for name, value in values.items())
            os.fchmod(stream.fileno(), 0o640)
            os.fchown(stream.fileno(), -1, group)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
