from __future__ import annotations

from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._reports import remaining_tasks


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


def test_a_node_that_holds_many_tasks_still_has_one_line() -> None:
    (line,) = remaining_tasks({"cpu1@w1": [task(number, None) for number in range(40)]})
    assert line.startswith("cpu1@w1: 40 tasks left: ")
    assert line.endswith(" and 35 more")
