from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import (
    drain_problems,
    known_nodes,
    left_out,
    names,
    pool_resizes,
    scale_problems,
    size_lines,
    unserved_queues,
)


def node(host: str, pool: str, queue: str, kind: str = "prefork", **more: Any) -> dict[str, Any]:
    return {"host": host, "pool": pool, "queues": [queue], "kind": kind, "size": 2, **more}


NODES = {
    "cpu1@w1": node("w1", "cpu", "default"),
    "cpu1@w2": node("w2", "cpu", "default"),
    "web1@w1": node("w1", "web", "web", autoscale=[1, 4]),
    "one1@w2": node("w2", "one", "default", "solo"),
}
HOSTS = ["w1", "w2"]


@pytest.mark.parametrize("given", ["w1, w2", ["w1", "w2"], "w1,,w2"])
def test_names_are_a_list_or_text(given: Any) -> None:
    assert names(given) == ["w1", "w2"]
    assert left_out(given) == ":!w1:!w2"
    assert names("") == []


@pytest.mark.parametrize(
    "sizes",
    [
        {"cpu": 8},
        {"cpu": "8"},
        {"web": {"min": 2, "max": "6"}},
        {"cpu": 1, "web": {"min": 1, "max": 1}},
    ],
)
def test_pools_that_can_be_resized(sizes: Any) -> None:
    assert scale_problems(NODES, sizes, HOSTS, []) == []


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (
            {"cpi": 8},
            "no pool is named 'cpi' (did you mean 'cpu'?): the inventory has cpu, one, web.",
        ),
        ({"cpu": 0}, "pool 'cpu' can't have size 0: give a whole number from 1 to 1000."),
        ({"cpu": True}, "pool 'cpu' can't have size True: give a whole number from 1 to 1000."),
        ({"cpu": {"min": 1, "max": 2}}, "pool 'cpu' doesn't autoscale: give a number instead"),
        ({"web": 4}, "pool 'web' autoscales: give min and max, whole numbers from 1 to 1000,"),
        ({"web": {"min": 3, "max": 2}}, "pool 'web' autoscales: give min and max"),
        ({"one": 4}, "pool 'one' is of kind solo, which can't be resized live: change its"),
    ],
)
def test_pools_that_can_not_be_resized(sizes: Any, says: str) -> None:
    (problem,) = scale_problems(NODES, sizes, HOSTS, [])
    assert problem.startswith(f"celery_worker_sizes: {says}")


def test_a_pool_is_on_a_host_of_the_run() -> None:
    (problem,) = scale_problems(NODES, {"web": {"min": 1, "max": 2}}, ["w2"], [])
    assert "no host of this run has pool 'web': name one of w1" in problem
    # A host that leaves isn't resized before.
    assert scale_problems(NODES, {"web": {"min": 1, "max": 2}}, HOSTS, ["w1"])


def test_a_pool_that_differs_by_host() -> None:
    nodes = {**NODES, "web1@w2": node("w2", "web", "web")}
    (problem,) = scale_problems(nodes, {"web": 4}, HOSTS, [])
    assert "autoscales on some hosts only" in problem


@pytest.mark.parametrize("sizes", [{}, [8], "8"])
def test_something_is_asked_for(sizes: Any) -> None:
    assert len(scale_problems(NODES, sizes, HOSTS, [])) == 1


@pytest.mark.parametrize(
    ("leaving", "says"),
    [
        (["w3"], "no host of celery_worker is named 'w3'"),
        (["w1", "w2"], "names all hosts of celery_worker: leave one of them."),
    ],
)
def test_hosts_that_can_not_leave(leaving: list[str], says: str) -> None:
    (problem,) = scale_problems(NODES, {}, HOSTS, leaving)
    assert says in problem


def test_a_host_that_can_leave() -> None:
    assert scale_problems(NODES, {}, HOSTS, ["w2"]) == []


@pytest.mark.parametrize(
    ("hosts", "pool", "queues"), [(["w2"], "", []), (HOSTS, "web", []), (HOSTS, "", ["web"])]
)
def test_what_can_be_drained(hosts: list[str], pool: str, queues: list[str]) -> None:
    assert drain_problems(NODES, hosts, pool, queues) == []


@pytest.mark.parametrize(
    ("hosts", "pool", "queues", "says"),
    [
        (["w2"], "web", [], "celery_worker_drain_pool: no host of this run has pool 'web'"),
        (
            HOSTS,
            "wep",
            [],
            "celery_worker_drain_pool: no pool is named 'wep' (did you mean 'web'?)",
        ),
        (HOSTS, "", ["wep"], "celery_worker_drain_queues: no pool of the inventory consumes from"),
    ],
)
def test_what_can_not_be_drained(hosts: list[str], pool: str, queues: list[str], says: str) -> None:
    (problem,) = drain_problems(NODES, hosts, pool, queues)
    assert problem.startswith(says)


def consuming(**queues: list[str]) -> dict[str, Any]:
    """What the nodes w1 and w2 of pool cpu, under other numbers than at first, consume from."""
    return {
        f"cpu7@{host}": {"active_queues": [{"name": name} for name in names]}
        for host, names in queues.items()
    }


@pytest.mark.parametrize(
    ("hosts", "pool", "unserved"),
    [
        (["w2"], "", []),
        (["w2"], "cpu", []),
        (HOSTS, "cpu", []),
        (HOSTS, "", ["default", "web"]),
        (["w1"], "", ["web"]),
        (["w1"], "web", ["web"]),
    ],
)
def test_queues_that_no_node_of_the_inventory_would_serve(
    hosts: list[str], pool: str, unserved: list[str]
) -> None:
    assert unserved_queues(NODES, {}, hosts, pool) == unserved


def test_a_node_that_is_drained_serves_no_queue() -> None:
    assert unserved_queues(NODES, consuming(w1=["default"], w2=["default"]), ["w2"]) == []
    assert unserved_queues(NODES, consuming(w1=[], w2=["default"]), ["w2"]) == ["default"]
    assert unserved_queues(NODES, consuming(w2=["default"]), ["w2"], "cpu") == ["default"]
    assert unserved_queues(NODES, consuming(w1=[], w2=["cpu7@w2.dq2"]), ["w2"]) == []
    assert unserved_queues(NODES, {"cpu1@w2": {"active_queues": None}}, ["w2"]) == []


def test_only_pools_of_the_host_are_resized() -> None:
    pools = [{"name": "cpu"}, {"name": "web"}, {"name": "one", "instances": 0}]
    sizes = {"cpu": 8, "web": {"min": 1, "max": 3}, "one": 2, "mail": 2}
    assert pool_resizes(pools, sizes) == [
        {"pool": "cpu", "size": 8},
        {"pool": "web", "min": 1, "max": 3},
    ]


def test_what_changes_is_told_with_what_the_inventory_says() -> None:
    live = {"CELERYOPS_DECLARED_SIZE": "2", "CELERY_WORKER_CONCURRENCY": "8"}
    bounds = {"CELERYOPS_DECLARED_RANGE": "4,1", "CELERY_WORKER_AUTOSCALE": "6,2"}
    results = [
        {"nodes": {"cpu1@w1": {"before": 2, "after": 8}}, "persisted": {"cpu": {"after": live}}},
        {"nodes": {"cpu1@w2": {"before": 2, "after": 2}}, "persisted": {"cpu": {"after": {}}}},
        {
            "nodes": {
                "web1@w1": {"before": {"min": 1, "max": 4}, "after": {"min": 2, "max": 6}},
            },
            "persisted": {"web": {"after": bounds}},
        },
        {"skipped": True},
    ]
    again = "which counts again once it is changed there"
    assert size_lines(results) == [
        f"cpu1@w1: 2 -> 8, where the inventory says 2, {again}",
        "cpu1@w2: 2 already, as the inventory says",
        f"web1@w1: 1 to 4 -> 2 to 6, where the inventory says 1 to 4, {again}",
    ]


def test_the_nodes_of_some_hosts_change_in_a_control_file() -> None:
    control = {"app": "shop", "nodes": NODES}
    left = known_nodes(control, ["w1"], {})
    assert left == {"app": "shop", "nodes": {n: NODES[n] for n in ("cpu1@w2", "one1@w2")}}
    own = {name: NODES[name] for name in ("cpu1@w1", "web1@w1")}
    assert known_nodes(left, ["w1"], own) == control
