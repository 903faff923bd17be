from __future__ import annotations

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._rolling import (
    batches,
    plan_lines,
)

HOSTS = [f"w{number}" for number in range(1, 9)]


@pytest.mark.parametrize(
    ("serial", "sizes"),
    [
        ([1, "25%"], [1, 2, 2, 2, 1]),
        ([3], [3, 3, 2]),
        (["2", "100%"], [2, 6]),
        (["1%"], [1] * 8),
        ([20], [8]),
    ],
)
def test_the_last_size_holds_for_the_rest(serial: list[int | str], sizes: list[int]) -> None:
    found = batches(HOSTS, serial)
    assert [len(batch) for batch in found] == sizes
    assert [host for batch in found for host in batch] == HOSTS


def test_no_hosts_take_no_batch() -> None:
    assert batches([], [1]) == []


@pytest.mark.parametrize("serial", [[], [0], ["0%"], [-1], ["some"], ["%"]])
def test_what_is_no_size_is_refused(serial: list[int | str]) -> None:
    with pytest.raises(ValueError, match="size of a batch"):
        batches(HOSTS, serial)


def test_the_plan_tells_releases_and_who_keeps_working() -> None:
    lines = plan_lines(
        [["w1"], ["w2", "w3"]],
        {"w1": ["1.3", "1.3"], "w2": ["1.4"], "w3": ["1.2", "1.3"]},
        "1.4",
        ["w1", "w2", "w3"],
    )
    assert lines == [
        "Batch 1 of 2: w1 (1.3 -> 1.4); 2 of 3 hosts keep working",
        "Batch 2 of 2: w2 (1.4, other configuration), w3 (1.2 and 1.3 -> 1.4); "
        "1 of 3 hosts keep working",
    ]


def test_a_host_that_surges_keeps_working() -> None:
    running = {"w1": ["1.3"], "w2": ["1.3"]}
    lines = plan_lines([["w1", "w2"]], running, "1.4", ["w1", "w2"], ["w1"])
    assert lines == ["Batch 1 of 1: w1 (1.3 -> 1.4), w2 (1.3 -> 1.4); 1 of 2 hosts keep working"]


def test_the_plan_names_the_hosts_that_keep_what_they_run() -> None:
    lines = plan_lines([["w1"], ["w2"]], {}, "1.4", ["w1", "w2"])
    assert lines == ["Nothing that runs changes on w1, w2"]


def test_a_limited_plan_counts_the_hosts_that_it_leaves_alone() -> None:
    lines = plan_lines([["w1"]], {"w1": ["1.3"]}, "1.4", ["w1", "w2", "w3"])
    assert lines == ["Batch 1 of 1: w1 (1.3 -> 1.4); 2 of 3 hosts keep working"]
