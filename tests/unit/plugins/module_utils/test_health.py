# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _examination
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._examination import (
    Limits,
    limits_of,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._health import Health, examine
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import Selection
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import Message, Reading

Make = Callable[..., Any]
WHOLE = Selection(("all",))
RELEASE = "1.0.0-a"


@pytest.fixture
def inventory(cluster: Cluster) -> Cluster:
    """Two nodes, a1 and b1, on one host, and no beat."""

    def node(name: str, kind: str = "prefork") -> Node:
        return Node(name, "w1", name[0], kind, ("default",), 2, RELEASE)

    nodes = {name: node(name) for name in ("a1@w1", "b1@w1")}
    return replace(cluster, nodes=nodes, beats=frozenset())


def healthy(worker: Make, **options: Any) -> Any:
    return worker(**{"release": RELEASE, **options})


def reasons(health: Health, node: str = "a1@w1") -> list[str]:
    assert health.nodes[node].healthy == (not health.nodes[node].reasons)
    return health.nodes[node].reasons


def test_a_healthy_cluster_costs_one_round(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker), b1=healthy(worker))
    result = examine(client, inventory, WHOLE).result()
    assert (result["healthy"], result["reasons"]) == (True, [])
    assert result["nodes"]["a1@w1"] == {
        "healthy": True,
        "reasons": [],
        "kind": "prefork",
        "processes": 2,
        "queues": ["default"],
        "active": 0,
        "reserved": 0,
        "release": RELEASE,
        "canary": None,
        "canary_reason": None,
    }
    assert result["queues"] == {
        "default": {
            "ready": 0,
            "reserved": 0,
            "backlog": 0,
            "consumers": ["a1@w1", "b1@w1"],
            "age": None,
            "age_kind": "unknown",
        }
    }
    assert client.now < 1.0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"silent_from": 0.0}, "doesn't answer within 2.0 s"),
        ({"size": 1}, "has 1 of 2 processes"),
        ({"size": 1, "autoscale": (2, 4)}, "has 1 of 2 processes"),
        ({"size": 0}, "has no process: it takes tasks and never runs them"),
        ({"consumed": []}, "consumes from no queue: it is paused, and should consume from 'd"),
        ({"consumed": ["mail"]}, "doesn't consume from 'default'"),
        ({"consumed": ["default", "mail"]}, "consumes from 'mail', which it shouldn't"),
        ({"release": "0.9.0-b"}, "runs release 0.9.0-b instead of 1.0.0-a"),
        ({"duplicated": True}, "more than one worker bears this name: give each its own"),
        ({"refusing": {"stats": "broken"}}, "answers only in part: it is overloaded, or starting"),
        ({"refusing": {"active_queues": "x"}}, "answers only in part: it is overloaded"),
        ({"reserved": ["t"]}, "holds 1 tasks and began none in 3 s: it is wedged"),
    ],
)
def test_faults(
    fleet: Make, worker: Make, inventory: Cluster, options: dict[str, Any], reason: str
) -> None:
    client = fleet(a1=healthy(worker, **options), b1=healthy(worker))
    health = examine(client, inventory, WHOLE)
    assert any(reason in found for found in reasons(health))
    assert reasons(health, "b1@w1") == []
    result = health.result()
    assert not result["healthy"]
    assert result["msg"] == f"Not healthy: {'; '.join(health.reasons)}."
    assert health.reasons[0].startswith("a1@w1: ")


def test_a_node_that_does_not_tell_its_release(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    client = fleet(
        a1=worker(refusing={"celeryops": "unknown command 'celeryops'"}), b1=worker(release=None)
    )
    health = examine(client, inventory, WHOLE)
    assert (health.reasons, health.errors) == ([], {})
    assert health.nodes["a1@w1"].release is None


def test_plain_apps_are_not_asked_for_their_release(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    nodes = {name: replace(node, release=None) for name, node in inventory.nodes.items()}
    client = fleet(a1=worker(), b1=worker())
    examine(client, replace(inventory, nodes=nodes), WHOLE)
    assert "celeryops" not in {command for command, _node, _arguments in client.sent}


def test_errors_are_told(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker, refusing={"stats": "x", "active": "y"}), b1=healthy(worker))
    assert examine(client, inventory, WHOLE).errors == {"a1@w1": "stats: x; active: y"}


def test_a_node_between_two_tasks_is_not_wedged(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    busy = healthy(worker, reserved=["t"])
    client = fleet(a1=busy, b1=healthy(worker))

    def work(command: str) -> None:
        busy.started += command == "stats"

    client.before_command = work
    assert examine(client, inventory, WHOLE).reasons == []
    assert client.now > 3.0


def test_no_second_look_without_time(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(timeout=3.5, a1=healthy(worker, reserved=["t"]), b1=healthy(worker))
    assert examine(client, inventory, WHOLE).reasons == []
    assert client.now < 1.0


def test_a_busy_solo_worker(fleet: Make, worker: Make, inventory: Cluster) -> None:
    nodes = {"a1@w1": replace(inventory.nodes["a1@w1"], kind="solo")}
    client = fleet(a1=worker(silent_from=0.0))
    (reason,) = reasons(examine(client, replace(inventory, nodes=nodes), WHOLE))
    assert "between two tasks only" in reason


def test_unknown_nodes_and_beats(fleet: Make, worker: Make, inventory: Cluster) -> None:
    workers = {"a1": healthy(worker), "b1": healthy(worker), "old1": worker()}
    client = fleet(**workers, celerybeat=worker())
    health = examine(client, inventory, WHOLE)
    assert (health.unknown_nodes, health.reasons) == (["old1@w1"], [])
    assert health.beats == ["celerybeat@w1"]

    narrow = examine(fleet(**workers), inventory, Selection(pool="a"))
    assert (narrow.unknown_nodes, list(narrow.nodes)) == ([], ["a1@w1"])


def test_a_duplicate_that_is_not_in_the_inventory(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    client = fleet(a1=healthy(worker), b1=healthy(worker), old1=worker(duplicated=True))
    assert examine(client, inventory, WHOLE).reasons == [
        "old1@w1: more than one worker bears this name, which isn't in the inventory"
    ]


def test_a_queue_without_consumer(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker, consumed=[]), b1=healthy(worker, consumed=[]))
    client.sizes = {"default": None}
    health = examine(client, inventory, WHOLE)
    queue = health.queues["default"]
    assert (queue["ready"], queue["backlog"], queue["consumers"]) == (None, 0, [])
    assert "no examined node shows that it consumes from queue 'default'" in health.reasons


def test_without_an_inventory(fleet: Make, worker: Make) -> None:
    unknown = Cluster(Broker("redis://b", "x"))
    health = examine(fleet(a1=worker(), b1=worker(consumed=[])), unknown, Selection())
    assert reasons(health) == []
    assert reasons(health, "b1@w1") == ["consumes from no queue: it is paused"]
    assert examine(fleet(), unknown, Selection()).reasons == ["no worker node answers"]


def test_the_release_of_nodes_that_are_not_known(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(door=True, release="1"), b1=worker(release="1"))
    health = examine(client, Cluster(Broker("redis://b", "x")), Selection())
    assert (health.nodes["a1@w1"].release, health.nodes["b1@w1"].release) == ("1", None)
    assert [node for command, node, _ in client.sent if command == "celeryops"] == ["a1@w1"]


def test_other_kinds_of_pools(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker, kind="threads"), b1=healthy(worker, kind="gevent"))
    health = examine(client, inventory, WHOLE)
    assert [node.kind for node in health.nodes.values()] == ["threads", "gevent"]
    assert health.reasons == []


def test_a_dead_node_costs_little_where_others_answer(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    client = fleet(a1=healthy(worker, silent_from=0.0), b1=healthy(worker))
    assert examine(client, inventory, WHOLE).missing == ["a1@w1"]
    assert client.now < 3.0

    alone = fleet(a1=healthy(worker, silent_from=0.0))
    health = examine(alone, inventory, Selection(("a1@w1",)))
    assert reasons(health) == ["doesn't answer within 6.0 s"]


LIVE = {
    "CELERYOPS_DECLARED_SIZE": "2",
    "CELERY_WORKER_CONCURRENCY": "1",
    "CELERYOPS_DECLARED_QUEUES": "default",
    "CELERY_WORKER_QUEUES": "default,mail",
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": 1, "consumed": ["default", "mail"], "live": LIVE}, []),
        ({"size": 1, "live": LIVE}, ["doesn't consume from 'mail'"]),
        (
            {"size": 1, "live": {**LIVE, "CELERYOPS_DECLARED_SIZE": "3"}},
            ["has 1 of 2 processes", "doesn't consume from 'mail'"],
        ),
        ({"size": 3}, []),
        ({"size": 1, "autoscale": (1, 4)}, []),
    ],
)
def test_what_was_set_live_is_expected(
    fleet: Make, worker: Make, inventory: Cluster, options: dict[str, Any], expected: list[str]
) -> None:
    client = fleet(a1=healthy(worker, **options), b1=healthy(worker))
    assert reasons(examine(client, inventory, WHOLE)) == expected


def test_a_process_that_is_replaced_is_no_fault(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    client = fleet(a1=healthy(worker, size=1, starting=[(1.0, 1)]), b1=healthy(worker))
    assert examine(client, inventory, WHOLE).reasons == []


def test_a_node_that_does_not_fetch(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker), b1=healthy(worker, running=[task("nap")] * 2))
    client.sizes = {"default": 5}
    health = examine(client, inventory, WHOLE)
    (reason,) = reasons(health)
    assert "could run more and began none of the 5 tasks that wait in 'default' in 3 s" in reason
    assert reasons(health, "b1@w1") == []


def test_a_node_that_fetches_is_not_at_fault(fleet: Make, worker: Make, inventory: Cluster) -> None:
    busy = healthy(worker)
    client = fleet(a1=busy, b1=healthy(worker, running=[task("nap")] * 2))
    client.sizes = {"default": 5}

    def work(command: str) -> None:
        busy.started += command == "stats"

    client.before_command = work
    assert examine(client, inventory, WHOLE).reasons == []


def task(name: str, age: float | None = None) -> dict[str, Any]:
    return {"name": name, "time_start": None if age is None else time.time() - age}


@pytest.mark.parametrize(
    ("running", "options", "overdue"),
    [
        ([task("nap", 700), task("nap", 800)], {"hard_limit": 600.0}, True),
        ([task("nap", 610), task("nap", 800)], {"hard_limit": 600.0}, False),
        ([task("nap", 700)], {"hard_limit": 600.0}, False),
        ([task("nap", 700), task("nap", 800)], {}, False),
        ([task("nap", 700), task("nap", 800)], {"registered": ["nap [time_limit=60.0]"]}, True),
        (
            [task("nap", 700)] * 2,
            {"hard_limit": 60.0, "registered": ["nap [time_limit=900]"]},
            False,
        ),
        ([task("nap", 700)] * 2, {"hard_limit": 60.0, "kind": "threads"}, False),
    ],
)
def test_processes_that_are_held_for_ever(
    fleet: Make,
    worker: Make,
    inventory: Cluster,
    running: list[dict[str, Any]],
    options: dict[str, Any],
    overdue: bool,
) -> None:
    client = fleet(a1=healthy(worker, running=running, **options), b1=healthy(worker))
    expected = ["each of its processes holds a task that is older than its hard time limit"]
    assert reasons(examine(client, inventory, WHOLE)) == (expected if overdue else [])


def test_the_limit_of_a_backlog(fleet: Make, worker: Make, inventory: Cluster) -> None:
    nodes = {
        "a1": healthy(worker, running=[task("nap")] * 2, reserved=["default", "other"]),
        "b1": healthy(worker, running=[task("nap")] * 2),
    }
    client = fleet(**nodes)
    client.sizes = {"default": 5}
    health = examine(client, inventory, WHOLE, Limits(backlog=6))
    assert health.queues["default"]["backlog"] == 7
    assert health.reasons == ["7 tasks wait for queue 'default', more than 6"]
    assert examine(client, inventory, WHOLE, Limits(backlog=7)).reasons == []


BEATS = frozenset({"celerybeat@w1"})


def test_exactly_one_beat_ticks(fleet: Make, worker: Make, inventory: Cluster) -> None:
    with_beat = replace(inventory, beats=BEATS)
    nodes = {"a1": healthy(worker), "b1": healthy(worker)}
    health = examine(fleet(**nodes, celerybeat=worker()), with_beat, WHOLE)
    assert (health.beats, health.reasons, health.missing) == (["celerybeat@w1"], [], [])

    silent = examine(fleet(**nodes), with_beat, WHOLE)
    assert silent.reasons == ["no beat ticks: celerybeat@w1 doesn't answer"]
    assert silent.missing == []

    twice = examine(fleet(**nodes, celerybeat=worker(duplicated=True)), with_beat, WHOLE)
    (reason,) = twice.reasons
    assert reason.startswith("celerybeat@w1: more than one beat ticks under this name")
    two = fleet(**nodes, celerybeat=worker())
    two.workers["celerybeat@w2"] = worker()
    assert examine(two, with_beat, WHOLE).reasons == [
        "2 beats tick (celerybeat@w1, celerybeat@w2), and each sends the scheduled tasks: "
        "stop all but one"
    ]


def test_beat_is_judged_only_where_it_can_be(
    fleet: Make, worker: Make, inventory: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_beat = replace(inventory, beats=BEATS)
    nodes = {"a1": healthy(worker), "b1": healthy(worker)}
    with monkeypatch.context() as older:
        older.setattr(_examination, "version", lambda _package: "5.6.2")
        assert examine(fleet(**nodes), with_beat, WHOLE).reasons == []
    assert examine(fleet(**nodes), with_beat, Selection(pool="a")).reasons == []
    plain = {name: replace(node, release=None) for name, node in inventory.nodes.items()}
    assert examine(fleet(**nodes), replace(with_beat, nodes=plain), WHOLE).reasons == []


def test_beat_is_no_matter_of_the_nodes_of_a_host(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    with_beat = replace(inventory, beats=BEATS)
    client = fleet(a1=healthy(worker), b1=healthy(worker))
    # The only one with nodes; at its first start beat hasn't started yet.
    assert examine(client, with_beat, Selection(("*@w1",))).reasons == []


CANARY = Limits(canary=2.0)


def test_canaries_come_back(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker, door=True), b1=healthy(worker, door=True, canary=0.5))
    health = examine(client, inventory, WHOLE, CANARY)
    assert health.reasons == []
    assert [(n.canary, n.canary_reason) for n in health.nodes.values()] == [
        (0.01, None),
        (0.5, None),
    ]
    assert health.nodes["a1@w1"].queues == ["default"]


@pytest.mark.parametrize(
    ("options", "reason", "fault"),
    [
        ({"canary": None}, "not back after 2.0 s", True),
        ({"canary": None, "running": [task("nap")] * 2}, "busy", False),
        ({"canary": None, "running": [task("celeryops.canary")] * 2}, "not back after 2.0", True),
        ({"consumed": []}, "paused", False),
        ({"door": False}, "the node has no queue of its own: it runs without the pack", False),
        ({"silent_from": 0.0}, "the node doesn't answer", False),
    ],
)
def test_canaries_that_do_not(
    fleet: Make,
    worker: Make,
    inventory: Cluster,
    options: dict[str, Any],
    reason: str,
    fault: bool,
) -> None:
    options = {"door": True, **options}
    client = fleet(a1=healthy(worker, **options), b1=healthy(worker, door=True))
    health = examine(client, inventory, WHOLE, CANARY)
    node = health.nodes["a1@w1"]
    assert node.canary is None
    assert reason in (node.canary_reason or "")
    assert any("a canary didn't come back" in found for found in node.reasons) == fault
    assert health.nodes["b1@w1"].canary == 0.01


def test_no_canary_without_time(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(timeout=1.0, a1=healthy(worker, door=True), b1=healthy(worker, door=True))
    health = examine(client, inventory, WHOLE, CANARY)
    assert health.nodes["a1@w1"].canary_reason == "no time was left for it"
    assert (client.canaries, health.reasons) == ({}, [])


@pytest.mark.parametrize(
    ("due", "waits", "expected"),
    [
        (90.0, {}, (90.0, "exact")),
        (None, {"default": {"wait": 80.0, "ago": 5.0}}, (80.0, "last")),
        (None, {"default": {"wait": 80.0, "ago": 500.0}}, (None, "unknown")),
        (None, {}, (None, "unknown")),
    ],
)
def test_the_limit_of_an_age(
    fleet: Make,
    worker: Make,
    inventory: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    due: float | None,
    waits: dict[str, Any],
    expected: tuple[float | None, str],
) -> None:
    head = Message("i", "nap", None if due is None else time.time() - due)
    reading = Reading(True, 1, heads=[head])
    monkeypatch.setattr(_examination, "queues_by", lambda *_: lambda _step: {"default": reading})
    busy = {"running": [task("nap")] * 2}
    client = fleet(a1=healthy(worker, waits=waits, **busy), b1=healthy(worker, **busy))
    client.sizes = {"default": 1}
    health = examine(client, inventory, WHOLE, Limits(age=70.0))
    queue = health.queues["default"]
    age = queue["age"]
    assert (None if age is None else round(age), queue["age_kind"]) == expected
    assert len(health.reasons) == (expected[0] is not None)
    assert examine(client, inventory, WHOLE, Limits(age=100.0)).reasons == []


@pytest.mark.parametrize(
    "options", [(True, 0.0, None, None), (True, 1.0, -1, None), (False, 1.0, None, 0.0)]
)
def test_limits_out_of_range(options: Any) -> None:
    with pytest.raises(CeleryOpsError, match="must be"):
        limits_of(*options)
