from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._layers import (
    cluster_pools,
    host_pools,
    is_layer,
    merged,
    pool_packages,
)

WORK: dict[str, Any] = {"name": "work", "queues": ["default"], "concurrency": 2}
MAIL: dict[str, Any] = {"name": "mail", "queues": ["mail"], "concurrency": 1}


def test_layers_change_pools_of_the_same_name_and_add_others() -> None:
    layers = [[WORK, MAIL], [{"name": "work", "concurrency": 8}], [{**MAIL, "name": "late"}]]
    assert merged(layers) == [{**WORK, "concurrency": 8}, MAIL, {**MAIL, "name": "late"}]


def test_the_layers_stay_as_they_are() -> None:
    base = [dict(WORK)]
    merged([base, [{"name": "work", "concurrency": 8}]])
    assert base == [WORK]


def test_environments_are_merged_variable_by_variable() -> None:
    base = {**WORK, "environment": {"A": 1, "B": 2}}
    [pool] = merged([[base], [{"name": "work", "environment": {"B": 3}}]])
    assert pool["environment"] == {"A": 1, "B": 3}


def test_an_environment_that_is_none_is_left_for_the_preflight() -> None:
    [pool] = merged([[{**WORK, "environment": {"A": 1}}], [{"name": "work", "environment": "B=3"}]])
    assert pool["environment"] == "B=3"


def test_of_a_size_and_a_range_the_later_one_holds() -> None:
    bounds = {"min": 1, "max": 4}
    scaled, fixed = {"name": "work", "autoscale": bounds}, {"name": "work", "concurrency": 3}
    [pool] = merged([[WORK], [scaled]])
    assert pool == {"name": "work", "queues": ["default"], "autoscale": bounds}
    [pool] = merged([[WORK], [scaled], [fixed]])
    assert pool == {**WORK, "concurrency": 3}


def test_what_is_no_pool_is_left_for_the_preflight() -> None:
    assert merged([["x", {"queues": []}], [5]]) == ["x", {"queues": []}, 5]


def test_the_variables_of_a_host_count_in_the_order_of_their_names() -> None:
    variables = {
        "celery_worker_pools_b": [{"name": "work", "concurrency": 4}],
        "celery_worker_pools_a": [{"name": "work", "concurrency": 8, "nice": 5}],
        "celery_worker_pools": [WORK],
        "celery_worker_poolside": "no layer",
    }
    assert host_pools(variables, []) == [{**WORK, "concurrency": 4, "nice": 5}]


def test_a_host_without_pools_has_the_default_ones() -> None:
    variables = {"celery_worker_pools_a": [{"name": "work", "instances": 0}]}
    assert host_pools(variables, [WORK]) == [{**WORK, "instances": 0}]


@pytest.mark.parametrize(
    ("concurrency", "nproc", "size"),
    [("cpus", 4, 4), ("cpus*2", 4, 8), ("cpus * 3", 2, 6), (5, 4, 5), ("cpus", None, "cpus")],
)
def test_cpus_are_the_hosts_own(concurrency: Any, nproc: int | None, size: Any) -> None:
    variables = {"ansible_facts": {"processor_nproc": nproc} if nproc else {}}
    [pool] = host_pools(variables, [{**WORK, "concurrency": concurrency}])
    assert pool["concurrency"] == size


def test_profiles_are_defaults() -> None:
    facts = {"ansible_facts": {"processor_nproc": 4}}
    pools = [
        {"name": "a", "profile": "cpu"},
        {"name": "b", "profile": "io"},
        {"name": "c", "profile": "io", "kind": "eventlet", "concurrency": 500},
        {"name": "d", "profile": "cpu", "autoscale": {"min": 1, "max": 8}},
        {"name": "e", "profile": "gpu"},
    ]
    assert host_pools(facts, pools) == [
        {"name": "a", "kind": "prefork", "concurrency": 4},
        {"name": "b", "kind": "gevent", "concurrency": 100},
        {"name": "c", "kind": "eventlet", "concurrency": 500},
        {"name": "d", "kind": "prefork", "autoscale": {"min": 1, "max": 8}},
        {"name": "e", "profile": "gpu"},
    ]


def test_the_pools_of_a_cluster_are_those_that_run() -> None:
    hostvars = {
        "a": {"celery_worker_pools": [WORK, "x"]},
        "b": {"celery_worker_pools_b": [{"name": "mail", "instances": 0}]},
    }
    assert cluster_pools(["a", "b"], hostvars, [MAIL]) == [WORK]


def test_kinds_bring_their_packages() -> None:
    kinds = ["gevent", "prefork", "gevent", "eventlet", "nothing"]
    pools = [*({"kind": kind} for kind in kinds), WORK]
    assert pool_packages(pools) == ["eventlet>=0.40", "gevent>=24.11"]
    assert pool_packages([WORK]) == []


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("celery_worker_pools_big", True),
        ("celery_worker_pools_2", True),
        ("celery_worker_pools", False),
        ("celery_worker_pools_", False),
        ("celery_worker_pool_big", False),
    ],
)
def test_names_of_layers(name: str, layer: bool) -> None:
    assert is_layer(name) is layer
