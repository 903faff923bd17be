# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker, Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import (
    QUEUES,
    RANGE,
    SIZE,
    TASK_LIMITS,
    PoolFile,
    Setting,
    kept_value,
    opened_files,
    pool_files,
    refuse_unkept,
)

CPU = ["cpu1@w1", "cpu2@w1"]


@pytest.fixture
def pools(tmp_path: Path) -> Path:
    directory = tmp_path / "shop" / "pools"
    directory.mkdir(parents=True)
    return directory


def keep(
    cluster: Cluster, root: Path, value: str, setting: Setting = SIZE, nodes: list[str] = CPU
) -> list[PoolFile]:
    return pool_files(cluster, nodes, setting, lambda _: value, root)


def test_a_size_is_kept_and_read_back(cluster: Cluster, pools: Path) -> None:
    root = pools.parents[1]
    (file,) = keep(cluster, root, "8")
    assert (file.pool, file.before) == ("cpu", {})
    file.write()
    path = pools / "cpu.env"
    assert path.read_text() == "CELERYOPS_DECLARED_SIZE=2\nCELERY_WORKER_CONCURRENCY=8\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_gid == pools.stat().st_gid
    assert list(pools.iterdir()) == [path]

    (again,) = keep(cluster, root, "8")
    assert again.before == again.after == file.after
    inode = path.stat().st_ino
    again.write()
    assert path.stat().st_ino == inode


def test_the_declared_size_needs_no_file(cluster: Cluster, pools: Path) -> None:
    (pools / "cpu.env").write_text("# live\nCELERY_WORKER_CONCURRENCY = 8\nnonsense\n")
    (file,) = keep(cluster, pools.parents[1], "2")
    assert (file.before, file.after) == ({"CELERY_WORKER_CONCURRENCY": "8"}, {})
    file.write()
    file.write()
    assert list(pools.iterdir()) == []


def test_each_value_stands_for_itself(cluster: Cluster, pools: Path) -> None:
    root = pools.parents[1]
    ranged = replace(
        cluster, nodes={n: replace(node, autoscale=(1, 4)) for n, node in cluster.nodes.items()}
    )
    for setting, value in ((QUEUES, "default,mail"), (RANGE, "8,2"), (SIZE, "3")):
        keep(ranged, root, value, setting)[0].write()
    text = """\
CELERYOPS_DECLARED_SIZE=2
CELERY_WORKER_CONCURRENCY=3
CELERYOPS_DECLARED_RANGE=4,1
CELERY_WORKER_AUTOSCALE=8,2
CELERYOPS_DECLARED_QUEUES=default
CELERY_WORKER_QUEUES=default,mail
"""
    assert (pools / "cpu.env").read_text() == text
    (limited,) = opened_files(ranged, CPU, "task limits", root)
    limited.with_values((TASK_LIMITS,), {TASK_LIMITS: "{}"}).write()
    assert (pools / "cpu.env").read_text() == f"{text}CELERYOPS_TASK_LIMITS={{}}\n"
    (limited,) = opened_files(ranged, CPU, "task limits", root)
    limited.with_values((TASK_LIMITS,), {}).write()
    keep(ranged, root, "4,1", RANGE)[0].write()
    keep(ranged, root, "2", SIZE)[0].write()
    assert (pools / "cpu.env").read_text() == "".join(text.splitlines(keepends=True)[4:])


def test_a_value_is_changed_from_the_one_that_counts(cluster: Cluster, pools: Path) -> None:
    root = pools.parents[1]
    node = cluster.nodes["cpu1@w1"]
    assert kept_value(cluster, node, QUEUES, root) == "default"
    for kept in ("default,x", "default,x,x"):
        (file,) = pool_files(cluster, CPU, QUEUES, "{},x".format, root)
        file.write()
        assert kept_value(cluster, node, QUEUES, root) == kept
    other = replace(node, queues=("default", "mail"))
    assert kept_value(cluster, other, QUEUES, root) == "default,mail"


def test_several_pools(cluster: Cluster, pools: Path) -> None:
    files = keep(cluster, pools.parents[1], "8", nodes=[*CPU, "io1@w1"])
    assert [(file.pool, bool(file.after)) for file in files] == [("cpu", True), ("io", False)]


def refusal(cluster: Cluster, nodes: list[str], root: Path, setting: Setting = SIZE) -> str:
    with pytest.raises(CeleryOpsError) as caught:
        keep(cluster, root, "8", setting, nodes)
    return str(caught.value)


def test_refusals(cluster: Cluster, pools: Path) -> None:
    root = pools.parents[1]
    assert "the size of cpu1@w2 can be kept only on its own host, and this is w1" in refusal(
        cluster, ["cpu1@w1", "cpu1@w2"], root
    )
    assert "the size would be kept for the whole pool, cpu2@w1 included" in refusal(
        cluster, ["cpu1@w1"], root
    )
    assert "declares no range for pool 'cpu'" in refusal(cluster, CPU, root, RANGE)
    pools.rmdir()
    assert f"{pools} is missing or can't be written" in refusal(cluster, CPU, root)


def test_an_unreadable_file(cluster: Cluster, pools: Path) -> None:
    (pools / "cpu.env").mkdir()
    assert "can't be read (Is a directory)" in refusal(cluster, CPU, pools.parents[1])


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    target = tmp_path / "cpu.env"
    target.mkdir()
    with pytest.raises(CeleryOpsError, match="what was set live isn't kept for the next start"):
        PoolFile("cpu", target, {}, {"A": "1"}).write()
    assert list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_kept_at_all(cluster: Cluster) -> None:
    refuse_unkept(cluster)
    with pytest.raises(CeleryOpsError, match="only with `app`"):
        refuse_unkept(replace(cluster, app=None, broker=Broker("redis://b", "x")))
