from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._rollback import rollback

RELEASES = "/opt/celeryops/shop/releases"
Host = dict[str, Any]


def host(runs: str, ran: dict[str, float], complete: str = "") -> Host:
    """What is found on a host: what it runs, what has run there at which time, what is complete.

    Names are separated by blanks; what has run is complete.
    """
    marks = [{"path": f"{RELEASES}/{name}/ran", "mtime": time} for name, time in ran.items()]
    marks += [
        {"path": f"{RELEASES}/{name}/release.json", "mtime": float(number)}
        for number, name in enumerate(dict.fromkeys([*ran, *complete.split()]))
    ]
    return {"marks": marks, "runs": runs.split()}


@pytest.mark.parametrize(
    ("runs", "ran", "release", "left"),
    [
        pytest.param("v3", {"v1": 1, "v2": 2, "v3": 3}, "v2", ["v3"], id="the last before it"),
        pytest.param("v2", {"v1": 1, "v2": 2}, "v1", ["v2"], id="after a rollback, one further"),
        pytest.param("v4", {"v1": 1, "v2": 4, "v4": 5}, "v2", ["v4"], id="not what was left"),
        pytest.param("v1", {"v2": 2, "v1": 3}, "v2", ["v1"], id="by when it ran last"),
        pytest.param("v3", {"v1": 1, "v2": 2}, "v2", [], id="of what has not proved itself"),
    ],
)
def test_what_ran_before_is_brought_back(
    runs: str, ran: dict[str, float], release: str, left: list[str]
) -> None:
    found = rollback({"w1": host(runs, ran), "w2": host(runs, ran)})
    assert found == {"release": release, "left": left, "problem": ""}


def test_a_rollback_that_was_interrupted_goes_on() -> None:
    # What it leaves has lost its marks already.
    changed = host("v2", {"v1": 1, "v2": 4}, "v3")
    later = host("v3", {"v1": 1, "v2": 2}, "v3")
    assert rollback({"w1": changed, "w2": later})["release"] == "v2"


def test_a_rollback_waits_for_beat() -> None:
    workers = host("v2", {"v1": 1, "v2": 4}, "v3")
    assert rollback({"w1": workers, "beat": host("v3", {}, "v1 v2 v3")})["release"] == "v2"


def test_an_update_that_was_interrupted_is_taken_back() -> None:
    changed = host("v3", {"v1": 1, "v2": 2, "v3": 3})
    later = host("v2", {"v1": 1, "v2": 2}, "v3")
    assert rollback({"w1": changed, "w2": later}) == {
        "release": "v2",
        "left": ["v3"],
        "problem": "",
    }


def test_a_release_that_is_named() -> None:
    found = rollback({"w1": host("v3", {"v1": 1, "v2": 2, "v3": 3})}, "v1")
    assert found == {"release": "v1", "left": ["v2", "v3"], "problem": ""}


def test_a_release_that_is_named_and_was_left_leaves_none() -> None:
    found = rollback({"w1": host("v2", {"v1": 1, "v2": 2}, "v3")}, "v3")
    assert found == {"release": "v3", "left": [], "problem": ""}


def test_a_release_must_be_complete_on_every_host() -> None:
    kept = {"v1": 1.0, "v2": 2.0, "v3": 3.0}
    new = host("v3", {"v3": 3.0})
    assert rollback({"w1": host("v3", kept), "w2": new, "w3": host("", {})})["problem"] == (
        "Release v2 can't be brought back, since it isn't complete on every host: w2 keeps v3; "
        "w3 keeps none. Name another one in celery_app_release, or install it with the playbook "
        "rolling_update."
    )


def test_a_mark_of_having_run_does_not_make_a_release_complete() -> None:
    found = host("v2", {"v1": 1, "v2": 2})
    found["marks"] = [
        mark for mark in found["marks"] if not mark["path"].endswith("v1/release.json")
    ]
    assert "Release v1 can't be brought back" in rollback({"w1": found})["problem"]


def test_where_nothing_ran_before_it_says_what_is_kept() -> None:
    found = rollback(
        {"w1": host("v3", {"v3": 3}, "v1 v2"), "w2": host("v3", {"v3": 3}, "v0 v1 v2")}
    )
    assert found["release"] == ""
    assert found["problem"] == (
        "No release is known to have run before v3; every host keeps v2, v1 beside it: name one "
        "in celery_app_release, or install an earlier one with the playbook rolling_update."
    )


def test_a_fresh_cluster_has_nothing_to_go_back_to() -> None:
    assert "every host keeps none beside it" in rollback({"w1": host("v1", {"v1": 1})})["problem"]


def test_hosts_without_the_application_have_nothing_to_go_back_to() -> None:
    assert "name others with --limit" in rollback({})["problem"]
