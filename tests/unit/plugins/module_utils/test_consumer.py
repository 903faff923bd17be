# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _consumer
from ansible_collections.celeryops.cluster.plugins.module_utils._consumer import (
    changed_names,
    set_queues,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import PoolFile

Make = Callable[..., Any]


def done(client: Any, *names: str, state: str = "present", **options: Any) -> dict[str, Any]:
    return set_queues(client, list(client.workers), {n: {} for n in names}, state, **options)


def failed(
    client: Any, wanted: dict[str, Any], state: str = "present", **options: Any
) -> tuple[str, dict[str, Any]]:
    with pytest.raises(CeleryOpsError) as caught:
        set_queues(client, list(client.workers), wanted, state, **options)
    return str(caught.value), caught.value.result


def test_a_queue_is_added_once(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(door=True), b1=worker(consumed=["default", "mail"]))
    result = done(client, "mail")
    assert result["changed"]
    assert result["nodes"] == {
        "a1@w1": {"before": ["default"], "after": ["default", "mail"]},
        "b1@w1": {"before": ["default", "mail"], "after": ["default", "mail"]},
    }
    assert result["diff"] == {
        "before": {"nodes": {"a1@w1": ["default"]}},
        "after": {"nodes": {"a1@w1": ["default", "mail"]}},
    }
    assert [c for c in client.sent if c[0] == "add_consumer"] == [
        (
            "add_consumer",
            "a1@w1",
            {
                "queue": "mail",
                "exchange": "mail",
                "exchange_type": "direct",
                "routing_key": "mail",
                "durable": True,
                "queue_arguments": {},
            },
        )
    ]
    sent = len(client.commands())
    assert not done(client, "mail")["changed"]
    assert len(client.commands()) == sent


def test_a_queue_is_given_up(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(consumed=["default", "mail"]), b1=worker())
    result = done(client, "mail", "nosuch", state="absent")
    assert result["nodes"]["a1@w1"] == {"before": ["default", "mail"], "after": ["default"]}
    assert client.commands() == ["cancel_consumer"]
    assert not done(client, "mail", state="absent")["changed"]


def test_exactly_these_queues(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(door=True), b1=worker(consumed=["mail", "b", "c"]))
    result = done(client, "mail", state="exact")
    assert {tuple(node["after"]) for node in result["nodes"].values()} == {("mail",)}
    # What is new comes first, so that no node is without a queue in between.
    assert client.commands() == [
        "add_consumer",
        "cancel_consumer",
        "cancel_consumer",
        "cancel_consumer",
    ]
    assert client.workers["a1@w1"].door
    assert not done(client, "mail", state="exact")["changed"]


def test_check_mode_only_reads(fleet: Make, worker: Make, tmp_path: Path) -> None:
    client = fleet(a1=worker())
    file = PoolFile("a", tmp_path / "a.env", {}, {"QUEUES": "x"})
    result = done(client, "mail", files=[file], check_mode=True)
    assert result["changed"]
    assert result["nodes"]["a1@w1"]["after"] == ["default", "mail"]
    assert result["diff"]["after"]["persisted"] == {"a": {"QUEUES": "x"}}
    assert client.commands() == []
    assert not file.path.exists()


@pytest.mark.parametrize(("state", "wanted"), [("absent", ["default"]), ("exact", [])])
def test_no_node_is_left_without_a_queue(
    fleet: Make, worker: Make, state: str, wanted: list[str]
) -> None:
    client = fleet(a1=worker())
    if state == "absent":
        sentence, _result = failed(client, {name: {} for name in wanted}, state)
        assert "a1@w1 would be left without any queue" in sentence
    with pytest.raises(CeleryOpsError, match="a worker would start without any queue"):
        changed_names(state, wanted)("default")
    assert client.commands() == []


@pytest.mark.parametrize(
    ("state", "names", "left"),
    [
        ("present", ["b", "a"], "a,b"),
        ("present", ["c"], "a,c"),
        ("absent", ["b"], "a"),
        ("exact", ["c", "b"], "c,b"),
    ],
)
def test_what_is_kept(state: str, names: list[str], left: str) -> None:
    assert changed_names(state, names)("a") == left


def test_a_paused_node_is_left_alone(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(consumed=[], door=True))
    for state in ("present", "exact"):
        assert "a1@w1 is paused" in failed(client, {"mail": {}}, state)[0]
    assert not done(client, "mail", state="absent")["changed"]
    assert client.commands() == []


def test_a_queue_gets_the_type_of_the_cluster(fleet: Make, worker: Make) -> None:
    conf = {
        "task_create_missing_queue_type": "quorum",
        "task_create_missing_queue_exchange_type": "topic",
    }
    client = fleet(a1=worker(conf=conf), b1=worker())
    done(client, "mail")
    definitions = [w.definitions["mail"] for w in client.workers.values()]
    assert [d["exchange"]["type"] for d in definitions] == ["topic", "direct"]
    assert definitions[0]["queue_arguments"] == {"x-queue-type": "quorum"}


def test_a_queue_that_is_another_one(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker())
    sentence, _result = failed(client, {"default": {"exchange": "other"}})
    assert "a1@w1 has queue 'default' with exchange 'x' instead of 'other'" in sentence
    assert client.commands() == []


def test_a_queue_that_turns_out_to_be_another_one(fleet: Make, worker: Make) -> None:
    known = {"exchange": {"name": "old", "type": "direct"}}
    client = fleet(a1=worker(definitions={"mail": known}), b1=worker())
    sentence, result = failed(client, {"mail": {"exchange": "new"}})
    assert "a1@w1 has queue 'mail' with exchange 'old' instead of 'new'" in sentence
    assert client.workers["a1@w1"].consumed == ["default"]
    assert result["nodes"]["b1@w1"]["after"] == ["default", "mail"]


def test_a_queue_that_the_broker_has_otherwise(
    fleet: Make, worker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_consumer, "clash", lambda *_args, **_options: "it is classic")
    client = fleet(a1=worker())
    sentence, _result = failed(client, {"mail": {}})
    assert "queue 'mail' can't be consumed from (it is classic), and a worker that" in sentence
    assert client.commands() == []


def test_queues_are_bound_to_delays_as_the_nodes_show_them(
    fleet: Make, worker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound: list[tuple[str, str]] = []

    def bind(_connection: Any, name: str, definition: Any) -> None:
        bound.append((name, definition["exchange"]))
        if len(bound) == 2:
            raise BrokerError("The broker at b:6379 is gone.")

    monkeypatch.setattr(_consumer, "bind_to_delays", bind)
    known = {"exchange": {"name": "old", "type": "topic"}}
    done(
        fleet(a1=worker(definitions={"mail": known}), b1=worker(definitions={"mail": known})),
        "mail",
    )
    assert bound == [("mail", "old")]
    sentence, result = failed(fleet(a1=worker()), {"mail": {}})
    assert "a1@w1 may have been changed or not: The broker" in sentence
    assert result["changed"]


def kept(tmp_path: Path) -> PoolFile:
    return PoolFile("a", tmp_path / "a.env", {}, {"QUEUES": "default,mail"})


def test_queues_are_kept(fleet: Make, worker: Make, tmp_path: Path) -> None:
    file = kept(tmp_path)
    result = done(fleet(a1=worker()), "mail", files=[file])
    assert result["persisted"] == {"a": {"before": {}, "after": {"QUEUES": "default,mail"}}}
    assert file.path.exists()


def test_a_file_that_cannot_be_written(fleet: Make, worker: Make, tmp_path: Path) -> None:
    file = PoolFile("a", tmp_path / "nosuch" / "a.env", {}, {"QUEUES": "default,mail"})
    sentence, result = failed(fleet(a1=worker()), {"mail": {}}, files=[file])
    assert "what was set live isn't kept" in sentence
    assert result["nodes"]["a1@w1"]["after"] == ["default", "mail"]


@pytest.mark.parametrize(
    ("conf", "details", "sentence"),
    [
        ({"task_create_missing_queues": False}, {}, "wouldn't start with queue 'mail'"),
        ({}, {"routing_key": "k"}, "would start with routing_key 'mail' instead of 'k'"),
    ],
)
def test_what_cannot_be_kept(
    fleet: Make,
    worker: Make,
    tmp_path: Path,
    conf: dict[str, Any],
    details: dict[str, Any],
    sentence: str,
) -> None:
    client = fleet(a1=worker(conf=conf))
    text, _result = failed(client, {"mail": details}, files=[kept(tmp_path)])
    assert sentence in text
    assert "`persist: false`" in text
    assert client.commands() == []
    set_queues(client, list(client.workers), {"mail": details}, "present")


def test_a_silent_node_is_named_and_the_others_are_done(
    fleet: Make, worker: Make, tmp_path: Path
) -> None:
    client = fleet(a1=worker(), b1=worker(silent_from=0.0))
    sentence, result = failed(client, {"mail": {}})
    assert "b1@w1 didn't answer and got no change" in sentence
    assert (result["changed"], result["missing"]) == (True, ["b1@w1"])
    assert client.workers["a1@w1"].consumed == ["default", "mail"]


def test_a_node_that_does_not_act(fleet: Make, worker: Make, tmp_path: Path) -> None:
    file = kept(tmp_path)
    client = fleet(a1=worker(stubborn={"add_consumer"}), b1=worker(consumed=["default", "b"]))
    sentence, result = failed(client, {"b": {}, "mail": {}}, "exact", files=[file])
    assert "a1@w1 confirmed the change and doesn't show it" in sentence
    assert result["nodes"]["b1@w1"]["after"] == ["b", "mail"]
    assert client.workers["a1@w1"].consumed == ["default"]
    assert not file.path.exists()
    assert client.now <= 11.5


def test_a_node_that_falls_silent(fleet: Make, worker: Make) -> None:
    sentence, _result = failed(fleet(a1=worker(lost={"add_consumer"})), {"mail": {}})
    assert "a1@w1 stopped answering after the change was sent" in sentence
    sentence, _result = failed(fleet(a1=worker(lost={"conf"})), {"mail": {}})
    assert "a1@w1 stopped answering before its change" in sentence


def test_a_node_that_refuses(fleet: Make, worker: Make) -> None:
    for command in ("active_queues", "conf", "add_consumer"):
        client = fleet(a1=worker(refusing={command: "broken"}))
        assert "a1@w1 broken" in failed(client, {"mail": {}})[0]


def test_the_broker_fails_after_the_change(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker())

    def fail(command: str) -> None:
        if command == "add_consumer":
            client.broker_fails_from = client.now + 0.001

    client.before_command = fail
    assert "a1@w1 may have been changed or not: The broker" in failed(client, {"mail": {}})[0]


def test_the_broker_is_down_from_the_start(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker())
    client.broker_fails_from = 0.0
    with pytest.raises(BrokerError):
        done(client, "mail")


def test_duplicates(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(duplicated=True))
    assert "more than one worker bears the name a1@w1" in failed(client, {"mail": {}})[0]
    assert client.commands() == []

    client = fleet(a1=worker())

    def appear(command: str) -> None:
        client.workers["a1@w1"].duplicated = command == "add_consumer"

    client.before_command = appear
    assert "is the name of more than one worker" in failed(client, {"mail": {}})[0]


def test_no_node_at_all(fleet: Make) -> None:
    assert "no worker node was found" in failed(fleet(), {"mail": {}})[0]


def test_many_failures_are_counted(fleet: Make, worker: Make) -> None:
    client = fleet(**{f"n{i}": worker(refusing={"conf": "broken"}) for i in range(9)})
    assert "6 more nodes failed (see `errors`)" in failed(client, {"mail": {}})[0]
