# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker, Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import (
    Selection,
    listed,
    pool_of,
    selected,
)

UNKNOWN = Cluster(Broker("redis://b", "the option `broker_url`"))


@pytest.mark.parametrize(
    ("selection", "nodes"),
    [
        (Selection(), ["cpu1@w1", "cpu2@w1", "io1@w1"]),
        (Selection(pool="cpu"), ["cpu1@w1", "cpu2@w1"]),
        (Selection(("all",)), ["cpu1@w1", "cpu1@w2", "cpu2@w1", "io1@w1", "one1@w2"]),
        (Selection(("all",), "cpu"), ["cpu1@w1", "cpu1@w2", "cpu2@w1"]),
        (Selection(("*@w2", "cpu1@w1")), ["cpu1@w1", "cpu1@w2", "one1@w2"]),
        (Selection(("*@w2",), "cpu"), ["cpu1@w2"]),
    ],
)
def test_by_the_inventory(cluster: Cluster, selection: Selection, nodes: list[str]) -> None:
    assert selected(None, cluster, selection) == nodes  # type: ignore[arg-type]


def test_a_host_without_nodes(cluster: Cluster) -> None:
    broker = replace(cluster, host="broker1")
    assert len(selected(None, broker, Selection())) == 5  # type: ignore[arg-type]
    assert len(selected(None, broker, Selection(pool="cpu"))) == 3  # type: ignore[arg-type]
    with pytest.raises(CeleryOpsError, match=r"host broker1 runs no node of app 'shop': name the"):
        selected(None, broker, Selection(anywhere=False))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        (Selection(pool="cpux"), "no pool 'cpux' in app 'shop'; known: cpu, io, one."),
        (Selection(("cpu9@w1",)), "no node of app 'shop' matches 'cpu9@w1'; known: cpu1@w1, "),
        (Selection(("io*",), "cpu"), "no node of pool 'cpu' of app 'shop' matches 'io*'; known: "),
        (Selection(pool="one"), "host w1 runs no node of pool 'one': name the nodes by `nodes`"),
    ],
)
def test_nothing_matches(cluster: Cluster, selection: Selection, sentence: str) -> None:
    with pytest.raises(CeleryOpsError) as caught:
        selected(None, cluster, selection)  # type: ignore[arg-type]
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("selection", "nodes"),
    [
        (Selection(), ["cpu12@w1", "cpu1@w1", "io1@w1"]),
        (Selection(("all",)), ["cpu12@w1", "cpu1@w1", "io1@w1"]),
        (Selection(pool="cpu"), ["cpu12@w1", "cpu1@w1"]),
        (Selection(("cpu*",)), ["cpu12@w1", "cpu1@w1"]),
        (Selection(("cpu*", "gone1@w1")), ["cpu12@w1", "cpu1@w1", "gone1@w1"]),
    ],
)
def test_by_those_that_answer(
    fleet: Callable[..., Any], worker: Callable[..., Any], selection: Selection, nodes: list[str]
) -> None:
    names = ("cpu1", "cpu12", "io1", "celerybeat")
    client = fleet(**{name: worker() for name in names})
    assert selected(client, UNKNOWN, selection) == nodes


def test_plain_names_need_no_ping(fleet: Callable[..., Any]) -> None:
    client = fleet()
    assert selected(client, UNKNOWN, Selection(("b1@w", "a1@w"))) == ["a1@w", "b1@w"]
    assert client.now == 0


def test_nodes_must_be_named_without_an_inventory(fleet: Callable[..., Any]) -> None:
    with pytest.raises(CeleryOpsError, match="must be named"):
        selected(fleet(), UNKNOWN, Selection(anywhere=False))


def test_no_answer_matches(fleet: Callable[..., Any], worker: Callable[..., Any]) -> None:
    with pytest.raises(CeleryOpsError, match=r"no node of this broker matches 'x\*'; known: a1@w1"):
        selected(fleet(a1=worker()), UNKNOWN, Selection(("x*",)))


@pytest.mark.parametrize(
    ("name", "pool"), [("cpu1@w1", "cpu"), ("cpu12@w1.example.org", "cpu"), ("worker@w1", "worker")]
)
def test_pool_of(name: str, pool: str) -> None:
    assert pool_of(name) == pool


def test_listed() -> None:
    assert listed([]) == "none"
    assert listed(["b", "a"]) == "a, b"
    assert listed(str(n) for n in range(10, 30)).endswith("18, 19 and 10 more")
