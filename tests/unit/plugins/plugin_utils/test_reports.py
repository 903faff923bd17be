from __future__ import annotations

from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._reports import (
    cause,
    ending_lines,
    health_lines,
    release_lines,
    remaining_tasks,
)


def task(number: int, runtime: float | None) -> dict[str, Any]:
    return {"id": f"id-{number}", "name": "shop.report", "runtime": runtime}


def test_a_node_without_tasks_has_no_line() -> None:
    assert remaining_tasks({"cpu1@w1": []}) == []


def test_the_longest_running_task_comes_first() -> None:
    lines = remaining_tasks({"cpu1@w1": [task(1, 2.0), task(2, 35.4), task(3, None)]})
    assert lines == [
        "cpu1@w1: 3 tasks left: shop.report since 35 s (id-2), shop.report since 2 s (id-1), "
        "shop.report waits (id-3)"
    ]


def test_the_time_that_is_left_is_told() -> None:
    (line,) = remaining_tasks({"cpu1@w1": [task(1, 35.4)]}, 3570)
    assert line == "cpu1@w1: 1 task left, 3570 s for them: shop.report since 35 s (id-1)"


def test_a_node_that_holds_many_tasks_still_has_one_line() -> None:
    (line,) = remaining_tasks({"cpu1@w1": [task(number, None) for number in range(40)]})
    assert line.startswith("cpu1@w1: 40 tasks left: ")
    assert line.endswith(" and 35 more")


def test_each_release_has_a_line_of_its_nodes() -> None:
    nodes = {
        "cpu1@w2": {"release": "1.4"},
        "cpu1@w1": {"release": "1.4"},
        "cpu1@w3": {"release": "1.3"},
        "cpu1@w4": {"release": None},
    }
    assert release_lines(nodes) == [
        "1.3: cpu1@w3",
        "1.4: cpu1@w1, cpu1@w2",
        "an unknown release: cpu1@w4",
    ]


def test_the_cause_of_a_failed_task_is_its_message() -> None:
    assert cause({"msg": "Unable to start cpu1.\nSee its log.\n"}) == (
        "Unable to start cpu1. See its log."
    )


def test_the_cause_of_a_failed_loop_are_the_messages_of_its_failed_items() -> None:
    items = [{"failed": True, "msg": "Unable to start cpu1."}, {"failed": False, "msg": ""}]
    result = {"msg": "One or more items failed", "results": items}
    assert cause(result) == "Unable to start cpu1."


def test_the_nodes_stand_in_a_table() -> None:
    counts = {"processes": 4, "active": 2, "reserved": 0}
    good = {**counts, "release": "1.4", "canary": 0.021, "healthy": True, "reasons": []}
    silent = dict.fromkeys(["release", "processes", "active", "reserved", "canary"])
    bad = {**silent, "healthy": False, "reasons": ["doesn't answer within 5.0 s"]}
    assert health_lines({"mail1@w10": bad, "cpu1@w1": good}) == [
        "node       release  processes  active  reserved  canary  verdict",
        "cpu1@w1    1.4      4          2       0         0.02 s  healthy",
        "mail1@w10  -        -          -       -         -       doesn't answer within 5.0 s",
    ]


def test_an_instance_that_is_still_ending() -> None:
    unit = {
        "item": {"instance": "cpu1"},
        "status": {"ActiveExitTimestampMonotonic": "905400000"},
    }
    link = {"item": unit, "stat": {"lnk_target": "../releases/1.3.0-ef56"}}
    assert ending_lines([link], "w1", "1000.71 3000.00\n") == [
        "cpu1@w1 (release 1.3.0-ef56) is still ending, since 95 s"
    ]
