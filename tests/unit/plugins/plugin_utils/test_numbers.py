from __future__ import annotations

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._numbers import (
    host_instances,
    instance_numbers,
    instance_units,
    node_instances,
)

CONFIGURATION = "/etc/celeryops/shop"
LINKS = "/opt/celeryops/shop/instances"
CPU = {"name": "cpu", "queues": ["default"]}


def test_what_stands_on_a_host() -> None:
    found = host_instances(
        [
            f"{LINKS}/beat",
            f"{LINKS}/cpu1",
            f"{LINKS}/cpu2",
            f"{LINKS}/web2",
            f"{CONFIGURATION}/instances/cpu2.env",
            f"{CONFIGURATION}/instances/beat.env",
            f"{CONFIGURATION}/instances/web2.env",
            f"{CONFIGURATION}/pools/cpu.env",
        ],
        ["web2"],
    )
    assert found == {"started": ["cpu2"], "kept": [], "left": ["cpu1"]}


@pytest.mark.parametrize(("complete", "kept"), [(True, ["cpu1"]), (False, [])])
def test_what_a_change_has_kept_counts_when_it_is_complete(complete: bool, kept: list[str]) -> None:
    previous = f"{CONFIGURATION}/previous"
    paths = [f"{previous}/cpu1.env", f"{previous}/cpu1", f"{previous}/cpu.env"]
    found = host_instances([*paths, *([f"{previous}/complete"] if complete else [])])
    assert found == {"started": [], "kept": kept, "left": []}


def test_units_of_instances() -> None:
    assert instance_units(["my_pool12"], "shop") == [
        {
            "instance": "my_pool12",
            "unit": "celery-shop-my_pool@12.service",
            "unit_file": "celery-shop-my_pool@.service",
        }
    ]


@pytest.mark.parametrize("name", ["beat", "cpu0", "cpu01", "12"])
def test_what_is_no_instance(name: str) -> None:
    assert host_instances([f"{LINKS}/{name}"])["left"] == []


@pytest.mark.parametrize(
    ("wanted", "instances", "numbers"),
    [
        pytest.param(2, {}, [1, 2], id="a bare host"),
        pytest.param(2, {"started": ["cpu2", "cpu5"]}, [2, 5], id="they keep theirs"),
        pytest.param(3, {"started": ["cpu2", "cpu5"]}, [1, 2, 5], id="the lowest are taken"),
        pytest.param(1, {"started": ["cpu2", "cpu5"]}, [2], id="the highest go"),
        pytest.param(0, {"started": ["cpu2"]}, [], id="none are left"),
        pytest.param(2, {"started": ["cpu2"], "ending": ["cpu1"]}, [2, 3], id="one is ending"),
        pytest.param(1, {"started": ["cpu1"], "leaving": ["cpu1"]}, [2], id="a surge"),
        pytest.param(
            1,
            {"started": ["cpu2"], "leaving": ["cpu2"], "ending": ["cpu1"]},
            [3],
            id="a surge while an older one ends",
        ),
        pytest.param(
            1, {"started": ["cpu1", "cpu2"], "leaving": ["cpu1", "cpu2"]}, [3], id="a surge of two"
        ),
        pytest.param(
            1, {"started": ["cpu1", "cpu2"], "kept": ["cpu1"]}, [2], id="an interrupted surge"
        ),
        pytest.param(
            2,
            {"started": ["cpu1", "cpu2", "cpu3"], "kept": ["cpu1", "cpu2"]},
            [1, 3],
            id="a surge that was interrupted half-way",
        ),
        pytest.param(1, {"started": ["cpus3", "io1"]}, [1], id="other pools don't count"),
    ],
)
def test_numbers_of_a_pool(
    wanted: int, instances: dict[str, list[str]], numbers: list[int]
) -> None:
    assert instance_numbers([CPU | {"instances": wanted}], instances) == {"cpu": numbers}


def test_the_nodes_of_a_host_that_was_not_looked_at() -> None:
    found = node_instances(["cpu2@w1", "cpu1@w2", "cpu3@w1"], "w1")
    assert found == {"started": ["cpu2", "cpu3"]}
