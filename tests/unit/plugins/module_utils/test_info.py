# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._info import ITEMS, gather
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import Selection

Make = Callable[..., Any]


@pytest.fixture
def inventory(cluster: Cluster) -> Cluster:
    names = ("cpu1@w1", "cpu2@w1")
    return replace(cluster, nodes={name: cluster.nodes[name] for name in names})


def test_items_by_node(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(cpu1=worker(release="1.0.0-a"), cpu2=worker(release="1.0.0-a"))
    info = gather(client, inventory, Selection(), ["ping", "release", "active"])
    assert info.nodes["cpu1@w1"] == {"ping": "pong", "release": "1.0.0-a", "active": []}
    assert (info.missing, info.errors, info.duplicates) == ([], {}, [])
    assert client.now < 0.1


def test_a_silent_node_is_missing(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(cpu1=worker(), cpu2=worker(silent_from=0.0))
    info = gather(client, inventory, Selection(), ["ping", "active"])
    assert info.missing == ["cpu2@w1"]
    assert info.errors == {}
    assert list(info.nodes) == ["cpu1@w1"]


def test_a_node_that_answers_in_part(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(
        cpu1=worker(refusing={"active": "broken", "celeryops": "unknown"}),
        cpu2=worker(lost={"active"}),
    )
    info = gather(client, inventory, Selection(), ["ping", "release", "active"])
    assert info.nodes["cpu1@w1"] == {"ping": "pong", "release": None, "active": None}
    assert info.errors == {"cpu1@w1": "active: broken", "cpu2@w1": "active: no answer"}
    assert info.missing == []


def test_duplicates(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(cpu1=worker(duplicated=True), cpu2=worker())
    assert gather(client, inventory, Selection(), ["ping"]).duplicates == ["cpu1@w1"]


@pytest.mark.parametrize(
    ("item", "reply", "value"),
    [
        ("ping", {"ok": "pong"}, "pong"),
        ("clock", {"clock": 7}, 7),
        ("release", {"release": "1", "config": "c", "runtime": "1"}, "1"),
        ("conf", {"broker_url": "redis://:p@h"}, {"broker_url": "redis://:***@h"}),
        ("conf", {"pin_key": 4}, {"pin_key": "***"}),
        ("stats", {"total": {"refresh_token": 4}}, {"total": {"refresh_token": 4}}),
        (
            "query_task",
            {"a": ["active", {"id": "a", "kwargs": {"password": "p"}}]},
            {"a": {"state": "active", "task": {"id": "a", "kwargs": {"password": "***"}}}},
        ),
        ("active", [{"kwargs": {"password": "p"}}], [{"kwargs": {"password": "***"}}]),
        (
            "report",
            {"ok": "\nsoftware -> celery:5\nsettings -> results:redis://:p@h/0\n\nmy_key: 'x'\n"},
            "software -> celery:5\nsettings -> results:redis://:***@h/0",
        ),
    ],
)
def test_values_without_secrets(item: str, reply: Any, value: Any) -> None:
    assert ITEMS[item][1](reply) == value


def test_nodes_of_a_queue(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(cpu1=worker(consumed=["mail"], door=True), cpu2=worker())
    info = gather(client, inventory, Selection(), ["active"], queue="mail")
    assert (info.nodes, info.missing) == ({"cpu1@w1": {"active": []}}, [])
    with pytest.raises(CeleryOpsError, match=r"from queue 'nosuch'; consumed: default, mail\.$"):
        gather(client, inventory, Selection(), ["ping"], queue="nosuch")


def test_a_node_whose_queues_are_not_known(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(cpu1=worker(), cpu2=worker(silent_from=0.0))
    info = gather(client, inventory, Selection(), ["ping"], queue="mail")
    assert (info.nodes, info.missing) == ({}, ["cpu2@w1"])


@pytest.mark.parametrize(("items", "ids"), [(["query_task"], []), (["ping"], ["a"])])
def test_tasks_are_named_for_their_query(
    fleet: Make, worker: Make, inventory: Cluster, items: list[str], ids: list[str]
) -> None:
    with pytest.raises(CeleryOpsError, match="need each other"):
        gather(fleet(cpu1=worker()), inventory, Selection(), items, task_ids=ids)
