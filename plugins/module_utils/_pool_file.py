# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The live size of a pool, kept for the next start of its workers.

The file overrides the size that the inventory declares. It also holds that declared size, so that
a later change of the inventory wins over the file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    CONFIGURATION,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import listed
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import Target

_DECLARED = "CELERYOPS_DECLARED_SIZE"
_SIZE = "CELERY_WORKER_CONCURRENCY"


@dataclass(frozen=True)
class PoolFile:
    """A pool's file, as it is and as it should be.

    Attributes:
        before: What it holds; empty where there is none.
        after: What it should hold; empty where there should be none, since the size is the
            declared one.
    """

    pool: str
    path: Path
    before: dict[str, str]
    after: dict[str, str]

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
                f"{self.path} can't be written ({error.strerror}): the live size isn't kept for "
                "the next start."
            ) from error


def refuse_unkept(cluster: Cluster, target: Target) -> None:
    """Refuse a target that can't be kept for the next start, whatever the nodes.

    Raises:
        CeleryOpsError: It is a range, or the app isn't known.
    """
    if not isinstance(target, int):
        raise CeleryOpsError(
            "a range can't be kept for the next start: set `persist: false`, and change the "
            "pool's range in the inventory as well."
        )
    if cluster.app is None:
        raise CeleryOpsError(
            "a size can be kept only with `app`: set `persist: false` to change it until the "
            "next start of the workers."
        )


def pool_files(
    cluster: Cluster, nodes: Collection[str], size: int, configuration: Path = CONFIGURATION
) -> list[PoolFile]:
    """The files that keep a size for some nodes of the host.

    Raises:
        CeleryOpsError: The size can't be kept for exactly these nodes, or not on this host.
    """
    foreign = [name for name in nodes if cluster.nodes[name].host != cluster.host]
    if foreign:
        raise CeleryOpsError(
            f"the size of {listed(foreign)} can be kept only on its own host, and this is "
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
            f"a size is kept for the whole pool, {listed(left_out)} included: "
            "name all nodes of the pool on this host, or set `persist: false`."
        )
    directory = configuration / str(cluster.app) / "pools"
    if not os.access(directory, os.W_OK):
        raise CeleryOpsError(
            f"{directory} is missing or can't be written: run the playbook celeryops.cluster.site, "
            "and this task with `become: true`."
        )
    declared = {cluster.nodes[name].pool: cluster.nodes[name].size for name in nodes}
    return [
        PoolFile(
            pool,
            directory / f"{pool}.env",
            _read(directory / f"{pool}.env"),
            {_DECLARED: str(declared[pool]), _SIZE: str(size)} if size != declared[pool] else {},
        )
        for pool in sorted(pools)
    ]


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
