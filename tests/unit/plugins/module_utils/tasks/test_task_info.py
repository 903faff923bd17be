# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _results
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._results import (
    Failures,
    Results,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._task_info import (
    Holding,
    Question,
    ask,
    describe,
    question_of,
)

Make = Callable[..., Any]
NOW = 10_000.0
NODES = ["cpu1@w1", "cpu2@w1", "one1@w1"]


def request(task_id: str, started: float | None = None) -> dict[str, Any]:
    return {
        "id": task_id,
        "type": "shop.add",
        "args": ["mysql://u:hunter2@h/db"],
        "kwargs": {"token": "hunter2"},
        "time_start": started,
        "delivery_info": {"routing_key": "cpu"},
    }


ACTIVE = {
    "cpu1@w1": [request("long", NOW - 500), request("short", NOW - 5)],
    "cpu2@w1": [request("longest", NOW - 900), request("unstarted")],
}
HELD = {
    "cpu1@w1": {"long": ["active", ACTIVE["cpu1@w1"][0]]},
    "cpu2@w1": {"later": ["scheduled", request("later")]},
}


def say(node: str, command: str, arguments: Mapping[str, Any]) -> Any:
    if node not in ACTIVE:
        return None
    if command == "active":
        return ACTIVE[node]
    return {id_: found for id_, found in HELD[node].items() if id_ in arguments["ids"]}


PARAMS: dict[str, Any] = {
    **dict.fromkeys(["ids", "running_longer_than", "failed_since"]),
    "limit": 5,
    "scan_limit": 9,
}


def test_question() -> None:
    assert question_of({**PARAMS, "ids": ["a"]}) == Question(["a"], limit=5, scan_limit=9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("running_longer_than", -1.0),
        ("failed_since", float("nan")),
        ("failed_since", float("inf")),
        ("limit", 0),
        ("scan_limit", 0),
    ],
)
def test_nonsense(name: str, value: float) -> None:
    with pytest.raises(CeleryOpsError, match=f"`{name}` must be"):
        question_of({**PARAMS, name: value})


def asked(script: Make, results: Results | None = None, only: bool = False, **question: Any) -> Any:
    return ask(script(say), NODES, results, Question(**question), NOW, only)


def test_tasks_that_are_held(script: Make) -> None:
    found = asked(script, ids=["long", "later", "never"])
    long, later, never = (found["tasks"][id_] for id_ in ("long", "later", "never"))
    assert (long["state"], long["node"], long["held"]) == ("STARTED", "cpu1@w1", "active")
    assert (long["runtime"], long["age"], long["queue"]) == (500.0, 500.0, "cpu")
    assert long["started"] == "1970-01-01T02:38:20.000+00:00"
    assert (later["state"], later["held"], later["age"]) == ("RECEIVED", "scheduled", None)
    assert (never["state"], never["task"], never["node"]) == ("UNKNOWN", None, None)
    assert found["nodes"] == {"cpu1@w1": {"tasks": ["long"]}, "cpu2@w1": {"tasks": ["later"]}}
    assert found["missing"] == ["one1@w1"]
    assert "hunter2" not in str(found)


def test_stuck_tasks(script: Make) -> None:
    found = asked(script, running_longer_than=100.0)
    assert found["stuck"] == ["longest", "long"]
    assert set(found["tasks"]) == {"longest", "long"}
    assert asked(script, ids=["long"])["stuck"] == []


def test_results(script: Make, results: Results, store: Make) -> None:
    store("long", 1, "RETRY")
    store(
        "good", {"secret_key": "hunter2", "n": 1}, "SUCCESS", name="shop.add", worker="w", queue="q"
    )
    store("bad", ValueError("token=hunter2 no"), "FAILURE")
    results.mark_sent(["sent"], NOW - 30)
    found = asked(script, results, ids=["long", "good", "bad", "sent"])["tasks"]
    assert found["long"]["state"] == "STARTED"
    assert found["good"]["result"] == {"secret_key": "***", "n": 1}
    assert (found["good"]["node"], found["good"]["queue"]) == ("w", "q")
    assert found["bad"]["error"] == "ValueError: token=*** no"
    assert found["bad"]["result"] is None
    assert (found["sent"]["state"], found["sent"]["age"]) == ("PENDING", 30.0)


def test_a_finished_task_that_is_run_again() -> None:
    holding = Holding("cpu1@w1", "active", request("a", NOW - 5))
    meta = {"status": "SUCCESS", "result": 1, "date_done": "1970-01-01T00:00:10"}
    task = describe(holding, meta, NOW)
    assert (task["state"], task["held"], task["age"]) == ("SUCCESS", "active", NOW - 10)


@pytest.mark.parametrize(("held", "state"), [("active", "STARTED"), ("reserved", "REVOKED")])
def test_a_revoked_task_that_is_held(held: str, state: str) -> None:
    holding = Holding("cpu1@w1", held, request("a", NOW - 5))
    assert describe(holding, {"status": "REVOKED", "result": None}, NOW)["state"] == state


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    metas: dict[str, Any] = {
        "f1": {"status": "FAILURE", "result": "no", "worker": "cpu1@w1", "name": "shop.add"},
        "f2": {"status": "FAILURE", "result": "no", "worker": "else@w9"},
    }
    calls = []

    def find(_backend: Any, since: float, limit: int, scan_limit: int, _until: float) -> Failures:
        calls.append((since, limit, scan_limit))
        return Failures(dict(metas), 7, False)

    monkeypatch.setattr(_results, "_failures", find)
    return {"metas": metas, "calls": calls}


def test_failed_tasks(script: Make, results: Results, failures: dict[str, Any]) -> None:
    found = asked(script, results, failed_since=60.0, limit=5, scan_limit=50)
    assert failures["calls"] == [(NOW - 60, 5, 50)]
    assert found["failures"] == ["f1", "f2"]
    assert found["tasks"]["f1"]["task"] == "shop.add"
    assert (found["scanned"], found["complete"]) == (7, False)


def test_failed_tasks_of_some_nodes(
    script: Make, results: Results, failures: dict[str, Any]
) -> None:
    assert asked(script, results, only=True, failed_since=60.0)["failures"] == ["f1"]
    # The rest of a chain that failed.
    failures["metas"]["f2"]["worker"] = None
    assert asked(script, results, only=True, failed_since=60.0)["failures"] == ["f1"]
    del failures["metas"]["f1"]["worker"]
    with pytest.raises(CeleryOpsError, match="don't tell which node ran a task"):
        asked(script, results, only=True, failed_since=60.0)
