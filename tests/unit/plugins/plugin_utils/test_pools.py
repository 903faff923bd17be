from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._pools import (
    cluster_nodes,
    pool_instances,
    pool_problems,
)

GOOD: dict[str, Any] = {"name": "cpu", "queues": ["default"], "concurrency": 2}


def test_a_good_pool_has_no_problem() -> None:
    others = [{"name": "io_bound", "instances": 2}, {"name": "late", "instances": 0}]
    all_cpus = {"name": "all", "concurrency": "cpus*2", "time_limit": 60, "nice": 5}
    assert pool_problems([GOOD, *(GOOD | other for other in (*others, all_cpus))]) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": None}, "entry 1 has no name"),
        ({"name": "a-b"}, "must be of a-z"),
        ({"name": "cpu1"}, "not end in a digit"),
        ({"name": "beat"}, "kept for the service"),
        ({"kind": "forks"}, "unknown kind 'forks'"),
        ({"concurrency": 0}, "concurrency 0: use a whole number"),
        ({"concurrency": None}, "no concurrency"),
        ({"autoscale": {"min": 1, "max": 2}}, "both concurrency and autoscale"),
        ({"concurrency": None, "autoscale": 3}, "autoscale 3: give min and max"),
        ({"concurrency": None, "autoscale": {"min": 3, "max": 2}}, "min not above max"),
        ({"concurrency": None, "autoscale": {"min": 0, "max": 2}}, "whole numbers of 1 or more"),
        ({"concurrency": None, "autoscale": {"min": 1}}, "give min and max"),
        (
            {"concurrency": None, "autoscale": {"min": 1, "max": 2}, "kind": "threads"},
            "of kind 'threads', which can't autoscale",
        ),
        ({"concurrency": True}, "concurrency True"),
        ({"instances": -1}, "instances -1"),
        ({"instances": None}, "instances None"),
        ({"prefetch_multiplier": "x"}, "prefetch_multiplier x"),
        ({"queues": []}, "no queues"),
        ({"queues": ["a,b"]}, "no name: 'a,b'"),
        ({"environment": ["A=1"]}, "an environment that is no mapping"),
        ({"extra_args": "--events"}, "extra_args that are no list"),
        ({"time_limit": "1h"}, "pool 'cpu' has time_limit 1h: use a whole number"),
        ({"profile": "gpu"}, "pool 'cpu' has the unknown profile 'gpu': use cpu or io."),
        ({"concurrency": "cpus*0"}, "concurrency cpus*0: use a whole number"),
        ({"concurency": 2}, "did you mean 'concurrency'?"),
    ],
)
def test_a_bad_pool_is_named_with_its_fault(change: dict[str, Any], problem: str) -> None:
    assert problem in " ".join(pool_problems([GOOD | change]))


def test_two_pools_of_one_name() -> None:
    assert pool_problems([GOOD, GOOD]) == [
        "celery_worker_pools: 2 pools are named 'cpu': give each its own name."
    ]


def test_an_entry_that_is_no_mapping() -> None:
    assert "entry 1 is no mapping" in pool_problems(["cpu"])[0]


def test_instances_of_a_host() -> None:
    found = pool_instances([GOOD | {"instances": 2}], "worker1")
    assert [item["node"] for item in found] == ["cpu1@worker1", "cpu2@worker1"]
    assert [item["instance"] for item in found] == ["cpu1", "cpu2"]
    numbered = pool_instances([GOOD], "worker1", {"cpu": [3]})
    assert [item["node"] for item in numbered] == ["cpu3@worker1"]


def test_nodes_of_the_cluster() -> None:
    nodes = cluster_nodes(
        {"w1": [GOOD], "w2": [GOOD | {"concurrency": "3"}]},
        "1.0-ab",
        {"w1": {}, "w2": {"cpu": [2]}},
    )
    assert nodes["cpu2@w2"] == {
        "host": "w2",
        "pool": "cpu",
        "kind": "prefork",
        "queues": ["default"],
        "size": 3,
        "release": "1.0-ab",
    }
    assert set(nodes) == {"cpu1@w1", "cpu2@w2"}


def test_a_node_of_uncounted_processors_has_one_process_at_least() -> None:
    pool = GOOD | {"concurrency": "cpus*2"}
    assert cluster_nodes({"w1": [pool]}, None, {"w1": {}})["cpu1@w1"]["size"] == 1


def test_a_pool_that_autoscales() -> None:
    pool = {"name": "web", "queues": ["web"], "autoscale": {"min": 2, "max": "8"}}
    assert pool_problems([pool]) == []
    node = cluster_nodes({"w1": [pool]}, None, {"w1": {}})["web1@w1"]
    assert (node["size"], node["autoscale"]) == (2, [2, 8])
