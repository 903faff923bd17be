# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._limits import (
    Limits,
    per_second,
    read_limits,
    wish_of,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import PoolFile
from ansible_collections.celeryops.cluster.plugins.module_utils._task_limits import set_limits

Make = Callable[..., Any]
NAP = "shop.nap"


def done(client: Any, *limits: str | None, **options: Any) -> dict[str, Any]:
    return set_limits(client, list(client.workers), wish_of(NAP, *limits), **options)


def failed(
    client: Any, *limits: str | None, task: str = NAP, **options: Any
) -> tuple[str, dict[str, Any]]:
    with pytest.raises(CeleryOpsError) as caught:
        set_limits(client, list(client.workers), wish_of(task, *limits), **options)
    return str(caught.value), caught.value.result


def limits(rate: Any = None, soft: Any = None, hard: Any = None) -> dict[str, dict[str, Any]]:
    return {NAP: {"rate_limit": rate, "soft_time_limit": soft, "time_limit": hard}}


@pytest.mark.parametrize(
    ("one", "other"),
    [("10/m", "600/h"), ("0.5/s", "30/m"), ("5", "5/s"), ("0", None), ("nonsense", None)],
)
def test_rates_are_the_same_by_value(one: str, other: str | None) -> None:
    assert per_second(one) == per_second(other)
    assert per_second("10/m") != per_second("10/h")


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("shop.nap", Limits()),
        ("shop.nap [rate_limit=10/m]", Limits("10/m")),
        ("shop.nap [rate_limit=0 time_limit=0]", Limits()),
        ("shop.nap [rate_limit=0.5/s soft_time_limit=5 time_limit=7.5]", Limits("0.5/s", 5, 7.5)),
        ("shop.naps [rate_limit=10/m]", None),
    ],
)
def test_limits_that_a_node_shows(entry: str, found: Limits | None) -> None:
    assert read_limits(NAP, ["celery.group", entry]) == found


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("10/d", None, None), "`rate_limit` must be a number of tasks per second, or per unit"),
        (("-1", None, None), "not '-1'"),
        (("ten", None, None), "not 'ten'"),
        ((None, "x", None), "`soft_time_limit` must be a number of seconds above 0, or none"),
        ((None, None, "-3"), "`time_limit` must be a number of seconds above 0"),
        ((None, None, "0.00"), "`time_limit` must be a number of seconds above 0"),
        ((None, "9", "8"), "`soft_time_limit` would be above `time_limit` (9 s and 8 s)"),
    ],
)
def test_limits_that_are_refused(given: Any, sentence: str) -> None:
    with pytest.raises(CeleryOpsError) as caught:
        wish_of(NAP, *given)
    assert sentence in str(caught.value)


def test_what_was_asked_for() -> None:
    assert wish_of(NAP, " 10 / m", "none", "8").given == {"rate": "10/m", "soft": None, "hard": 8.0}
    assert wish_of(NAP, "0", None, None).given == {"rate": None}
    assert wish_of(NAP, "None", "0", None).given == {"rate": None, "soft": None}


def test_only_what_differs_is_sent(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(limits=limits("10/m", 5, 60)), b1=worker(limits=limits()))
    result = done(client, "600/h", None, None)
    assert result["nodes"] == {
        "a1@w1": {
            "before": {"rate_limit": "10/m", "soft_time_limit": 5.0, "time_limit": 60.0},
            "after": {"rate_limit": "10/m", "soft_time_limit": 5.0, "time_limit": 60.0},
        },
        "b1@w1": {
            "before": {"rate_limit": None, "soft_time_limit": None, "time_limit": None},
            "after": {"rate_limit": "600/h", "soft_time_limit": None, "time_limit": None},
        },
    }
    assert [(command, node) for command, node, _arguments in client.sent if "_" in command] == [
        ("rate_limit", "b1@w1")
    ]
    assert not done(client, "10/m", None, None)["changed"]


def test_the_limit_that_is_not_named_stays(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(limits=limits("10/m", 5, 60)), b1=worker(limits=limits(None, 7, 60)))
    assert done(client, None, None, "90")["changed"]
    assert client.workers["a1@w1"].limits == limits("10/m", 5.0, 90.0)
    assert client.workers["b1@w1"].limits == limits(None, 7.0, 90.0)
    done(client, None, "none", None)
    assert client.workers["a1@w1"].limits == limits("10/m", None, 90.0)
    done(client, "none", None, "none")
    assert client.workers["a1@w1"].limits == limits()


def test_check_mode_only_reads(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(limits=limits("10/m")), b1=worker(limits=limits("20/m")))
    result = done(client, "600/h", None, "9", check_mode=True)
    assert result["diff"]["after"]["nodes"]["b1@w1"] == {
        "rate_limit": "600/h",
        "soft_time_limit": None,
        "time_limit": 9.0,
    }
    assert result["nodes"]["a1@w1"]["after"]["rate_limit"] == "10/m"
    assert client.commands() == []


@pytest.mark.parametrize(
    ("options", "given", "sentence"),
    [
        ({"limits": limits(None, 50)}, (None, None, "40"), "above `time_limit` on a1@w1 (50 s and"),
        ({"kind": "threads"}, (None, None, "4"), "kind threads, which never keeps a `time_limit`"),
        ({"kind": "solo"}, (None, "4", None), "kind solo, which never keeps a `soft_time_limit`"),
        ({"kind": "gevent"}, (None, "4", None), "kind gevent, which never keeps a `soft_time"),
        ({"applies_time_limits": False}, (None, None, "4"), "a1@w1 runs without the runtime of"),
        ({"refusing": {"celeryops": "unknown"}}, (None, None, "4"), "a1@w1 runs without the"),
        ({"duplicated": True}, ("4", None, None), "more than one worker bears the name a1@w1"),
    ],
)
def test_refused_before_anything_is_sent(
    fleet: Make, worker: Make, options: dict[str, Any], given: Any, sentence: str
) -> None:
    client = fleet(a1=worker(**{"limits": limits(), **options}))
    assert sentence in failed(client, *given)[0]
    assert client.commands() == []


def test_what_every_kind_of_pool_takes(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(kind="gevent", limits=limits(None, 3)))
    assert done(client, "5/s", "none", "9")["changed"]
    client = fleet(a1=worker(kind="threads", limits=limits(None, 3)))
    assert done(client, "5/s", "none", "none")["changed"]


def test_an_unknown_task(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(limits=limits(), registered=["celery.group", "other.task"]))
    sentence, _result = failed(client, "5", None, None, task="shop.npa")
    assert sentence == "a1@w1 knows no task 'shop.npa': did you mean 'shop.nap'?"
    sentence, _result = failed(client, "5", None, None, task="quite-different")
    assert "it knows other.task, shop.nap" in sentence


def test_a_silent_node_is_named_and_the_others_are_done(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(limits=limits()), b1=worker(silent_from=0.0))
    sentence, result = failed(client, "5", None, None)
    assert "Not all nodes have the limits of shop.nap: b1@w1 didn't answer" in sentence
    assert (result["changed"], result["missing"]) == (True, ["b1@w1"])


def test_a_node_that_does_not_act(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(limits=limits(), stubborn={"rate_limit"}))
    sentence, result = failed(client, "5", None, None)
    assert "a1@w1 confirmed the change and doesn't show it" in sentence
    assert not result["changed"]


def test_a_node_that_falls_silent_or_refuses(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(limits=limits(), lost={"time_limit"}))
    assert "stopped answering after the change was sent" in failed(client, None, None, "5")[0]
    client = fleet(a1=worker(limits=limits(), refusing={"rate_limit": "broken"}))
    assert "a1@w1 broken" in failed(client, "5", None, None)[0]


def test_the_broker_fails(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(limits=limits()))

    def fail(command: str) -> None:
        if command == "rate_limit":
            client.broker_fails_from = client.now + 0.001

    client.before_command = fail
    assert "a1@w1 may have been changed or not" in failed(client, "5", None, None)[0]
    client.broker_fails_from = 0.0
    with pytest.raises(BrokerError):
        done(client, "5", None, None)


def test_a_duplicate_that_shows_up_late(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(limits=limits()))

    def appear(command: str) -> None:
        client.workers["a1@w1"].duplicated = command == "rate_limit"

    client.before_command = appear
    assert "is the name of more than one worker" in failed(client, "5", None, None)[0]


def test_no_node_at_all(fleet: Make) -> None:
    assert "no worker node was found" in failed(fleet(), "5", None, None)[0]


def pool_file(tmp_path: Path, **kept: Any) -> PoolFile:
    """The file of pool a, which keeps the limits of some tasks."""
    values = {"CELERYOPS_TASK_LIMITS": json.dumps(kept)} if kept else {}
    return PoolFile("a", tmp_path / "a.env", values, values)


def kept_in(result: dict[str, Any]) -> Any:
    return json.loads(result["persisted"]["a"]["after"].get("CELERYOPS_TASK_LIMITS", "{}"))


def entry(declared: Any, live: Any) -> dict[str, Any]:
    names = ("rate_limit", "soft_time_limit", "time_limit")
    return {
        "declared": dict(zip(names, declared, strict=True)),
        "live": dict(zip(names, live, strict=True)),
    }


def test_limits_are_kept(fleet: Make, worker: Make, tmp_path: Path) -> None:
    declared = entry((None, None, 600), (None, None, 600))["declared"]
    client = fleet(
        a1=worker(limits=limits(None, 5, 600), declared=declared),
        a2=worker(silent_from=0.0),
        b1=worker(limits=limits(), declared=None),
    )
    file = pool_file(tmp_path, other={"declared": {}, "live": {}})
    result = failed(client, "10/m", None, None, files=[file])[1]
    # What only the node has isn't kept.
    assert kept_in(result) == {
        NAP: entry((None, None, 600), ("10/m", None, 600.0)),
        "other": {"declared": {}, "live": {}},
    }
    assert file.path.read_text().startswith("CELERYOPS_TASK_LIMITS={")


def test_what_was_kept_stays_until_it_is_declared(
    fleet: Make, worker: Make, tmp_path: Path
) -> None:
    none = (None, None, None)
    file = pool_file(tmp_path, **{NAP: entry(none, ("10/m", None, None))})
    client = fleet(a1=worker(limits=limits("10/m")))
    result = done(client, None, None, "9", files=[file])
    assert kept_in(result) == {NAP: entry(none, ("10/m", None, 9.0))}
    assert result["diff"]["after"]["persisted"]["a"] == result["persisted"]["a"]["after"]

    assert kept_in(done(client, "none", None, "none", files=[file])) == {}
    # The app has other limits now: what was kept before doesn't count any more.
    client.workers["a1@w1"].declared["time_limit"] = 60
    result = done(client, None, "5", None, files=[file])
    assert kept_in(result) == {NAP: entry((None, None, 60), (None, 5.0, 60.0))}


def test_check_mode_keeps_nothing(fleet: Make, worker: Make, tmp_path: Path) -> None:
    file = pool_file(tmp_path)
    result = done(fleet(a1=worker(limits=limits())), "5", None, None, files=[file], check_mode=True)
    assert kept_in(result)[NAP]["live"]["rate_limit"] == "5"
    assert not file.path.exists()


def test_limits_that_some_could_not_be_given_are_not_kept(
    fleet: Make, worker: Make, tmp_path: Path
) -> None:
    file = pool_file(tmp_path)
    client = fleet(a1=worker(limits=limits(), stubborn={"rate_limit"}))
    assert failed(client, "5", None, None, files=[file])[1]["persisted"] == {}
    assert not file.path.exists()


@pytest.mark.parametrize(
    ("options", "given", "sentence"),
    [
        ({"declared": None}, ("5", None, None), "a2@w1 can't keep limits for its next start"),
        ({"refusing": {"celeryops_limits": "unknown"}}, ("5", None, None), "a2@w1 can't keep"),
        ({"declared": {"rate_limit": "9"}}, ("5", None, None), "a1@w1 and a2@w1 differ in the"),
    ],
)
def test_limits_that_cannot_be_kept(
    fleet: Make, worker: Make, tmp_path: Path, options: Any, given: Any, sentence: str
) -> None:
    client = fleet(a1=worker(limits=limits()), a2=worker(limits=limits(), **options))
    assert sentence in failed(client, *given, files=[pool_file(tmp_path)])[0]
    assert client.commands() == []


def test_a_file_that_cannot_be_read_or_would_keep_nonsense(
    fleet: Make, worker: Make, tmp_path: Path
) -> None:
    values = {"CELERYOPS_TASK_LIMITS": "{"}
    broken = PoolFile("a", tmp_path / "a.env", values, values)
    client = fleet(a1=worker(limits=limits(None, 1)))
    assert "isn't JSON" in failed(client, "5", None, None, files=[broken])[0]
    client.workers["a1@w1"].declared["soft_time_limit"] = 50
    sentence, _result = failed(client, None, None, "40", files=[pool_file(tmp_path)])
    assert "above `time_limit` from the next start on (50 s and 40 s)" in sentence
