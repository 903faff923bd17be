# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revoking and terminating, with nodes that remember what they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._task_revoke import (
    Revocation,
    revoke,
    revoke_stamped,
)

Make = Callable[..., Any]
NODES = ["cpu1@w1", "cpu2@w1"]


class Workers:
    """Nodes with what they keep as revoked and what they run."""

    def __init__(self, kind: str = "prefork") -> None:
        self.kind = kind
        self.revoked: dict[str, set[str]] = {node: set() for node in NODES}
        self.running: dict[str, str] = {}
        self.silent: set[str] = set()
        self.silent_after_revoke: set[str] = set()
        self.deaf: set[str] = set()
        self.tough = False

    def __call__(self, node: str, command: str, arguments: Mapping[str, Any]) -> Any:
        if node in self.silent:
            return None
        answer = getattr(self, command)(node, **arguments)
        return {"ok": answer} if isinstance(answer, str) else answer

    def ping(self, _node: str) -> str:
        return "pong"

    def stats(self, _node: str) -> Any:
        module = f"celery.concurrency.{self.kind}:TaskPool"
        return {"pool": {"implementation": module, "max-concurrency": 2, "processes": [1]}}

    def query_task(self, node: str, ids: list[str]) -> Any:
        return {
            id_: ["active", {}] for id_, on in self.running.items() if on == node and id_ in ids
        }

    def revoke(
        self, node: str, task_id: list[str], terminate: bool = False, signal: str = ""
    ) -> str:
        if node not in self.deaf:
            self.revoked[node] |= set(task_id)
        if terminate and not self.tough:
            assert signal == "SIGTERM"
            self.running = {id_: on for id_, on in self.running.items() if on != node}
        self.silent |= self.silent_after_revoke & {node}
        return "flagged"

    def revoke_by_stamped_headers(self, _node: str, **arguments: Any) -> Any:
        self.stamps = arguments
        return "flagged"


# `revoked` is the name of the command as well as of what it tells.
def speak(workers: Workers) -> Callable[..., Any]:
    def say(node: str, command: str, arguments: Mapping[str, Any]) -> Any:
        if command == "revoked" and node not in workers.silent:
            return [*workers.revoked[node], "another"]
        return workers(node, command, arguments)

    return say


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def client(script: Make, workers: Workers) -> Any:
    return script(speak(workers))


WANTED = Revocation(["a", "b"])


def test_revoke(client: Any, workers: Workers) -> None:
    workers.running = {"a": "cpu1@w1"}
    result = revoke(client, NODES, WANTED)
    assert result["changed"]
    assert result["nodes"]["cpu2@w1"] == {"before": [], "after": ["a", "b"]}
    assert result["tasks"] == {"a": {"held_by": {"cpu1@w1": "active"}}, "b": {"held_by": {}}}
    assert workers.running == {"a": "cpu1@w1"}
    again = revoke(client, NODES, WANTED)
    assert not again["changed"]
    assert client.commands() == ["revoke"] * 2


def test_only_the_nodes_that_lack_it_make_a_difference(client: Any, workers: Workers) -> None:
    workers.revoked["cpu1@w1"] = {"a", "b"}
    result = revoke(client, NODES, WANTED)
    assert result["diff"]["after"] == {"nodes": {"cpu2@w1": ["a", "b"]}}


def test_check_mode(client: Any, workers: Workers) -> None:
    workers.running = {"a": "cpu1@w1"}
    for wanted in (WANTED, Revocation(["a"], "SIGTERM")):
        result = revoke(client, NODES, wanted, check_mode=True)
        assert result["changed"]
        assert result["nodes"]["cpu1@w1"]["after"] == sorted(wanted.ids)
    assert client.commands() == []


def test_terminate(client: Any, workers: Workers) -> None:
    workers.running = {"a": "cpu1@w1"}
    wanted = Revocation(["a"], "SIGTERM", directed=False)
    assert revoke(client, NODES, wanted)["changed"]
    assert workers.running == {}
    sent = [
        (arguments, directed)
        for _n, command, arguments, directed in client.sent
        if command == "revoke"
    ]
    assert sent[0] == ({"task_id": ["a"], "terminate": True, "signal": "SIGTERM"}, False)
    assert not revoke(client, NODES, wanted)["changed"]


def test_a_revoked_task_that_runs_is_still_to_be_ended(client: Any, workers: Workers) -> None:
    workers.revoked = {node: {"a"} for node in NODES}
    workers.running = {"a": "cpu1@w1"}
    assert not revoke(client, NODES, Revocation(["a"]))["changed"]
    assert revoke(client, NODES, Revocation(["a"], "SIGTERM"))["changed"]


@pytest.mark.parametrize("kind", ["thread", "solo"])
def test_a_pool_that_cannot_end_a_task(client: Any, workers: Workers, kind: str) -> None:
    workers.kind = kind
    workers.running = {"a": "cpu1@w1"}
    with pytest.raises(CeleryOpsError, match="cpu1@w1 runs a and can't end it"):
        revoke(client, NODES, Revocation(["a"], "SIGTERM"))
    assert client.commands() == []


def test_a_task_that_ignores_the_signal(client: Any, workers: Workers) -> None:
    workers.running, workers.tough = {"a": "cpu1@w1"}, True
    with pytest.raises(CeleryOpsError, match="still runs it: give `signal: SIGKILL`"):
        revoke(client, NODES, Revocation(["a"], "SIGTERM"))


def test_a_node_that_does_not_do_it(client: Any, workers: Workers) -> None:
    workers.deaf = {"cpu2@w1"}
    with pytest.raises(CeleryOpsError, match="cpu2@w1 doesn't show the tasks as revoked") as caught:
        revoke(client, NODES, WANTED)
    assert caught.value.result["nodes"]["cpu2@w1"]["after"] == []
    assert caught.value.result["changed"]


def test_a_silent_node_is_told_too(client: Any, workers: Workers) -> None:
    workers.silent = {"cpu2@w1"}
    workers.revoked["cpu1@w1"] = {"a", "b"}
    with pytest.raises(
        CeleryOpsError, match="cpu2@w1 didn't answer, and may do it later"
    ) as caught:
        revoke(client, NODES, WANTED)
    assert caught.value.result["missing"] == ["cpu2@w1"]
    assert not caught.value.result["changed"]
    assert ("cpu2@w1", "revoke") in [entry[:2] for entry in client.sent]


def test_the_last_reading_has_its_time(client: Any, script: Make, workers: Workers) -> None:
    said = speak(workers)
    late = script(lambda *call: said(*call) if late.seconds > 0 else None)
    take = late.call_all

    def take_time(calls: Any, **options: Any) -> Any:
        replies = take(calls, **options)
        late.seconds = 0.0 if calls[0].command == "revoke" else late.seconds
        return replies

    late.call_all = take_time
    assert revoke(late, NODES, WANTED)["nodes"]["cpu1@w1"]["after"] == ["a", "b"]


@pytest.mark.parametrize("directed", [True, False])
def test_whom_the_command_reaches(client: Any, workers: Workers, directed: bool) -> None:
    workers.silent = {"cpu2@w1"}
    with pytest.raises(CeleryOpsError, match="cpu2@w1 didn't answer"):
        revoke(client, NODES, Revocation(["a"], directed=directed))
    told = {node: how for node, command, _, how in client.sent if command == "revoke"}
    assert told == (dict.fromkeys(NODES, True) if directed else {"cpu1@w1": False})
    workers.silent = set(NODES)
    with pytest.raises(CeleryOpsError, match=r"cpu1@w1, cpu2@w1 didn't answer"):
        revoke(client, NODES, Revocation(["b"], directed=directed))


def test_a_node_that_falls_silent(client: Any, workers: Workers) -> None:
    workers.silent_after_revoke = {"cpu2@w1"}
    with pytest.raises(CeleryOpsError, match="cpu2@w1 stopped answering after it was told"):
        revoke(client, NODES, WANTED)


def test_no_node(client: Any) -> None:
    with pytest.raises(CeleryOpsError, match="no worker node"):
        revoke(client, [], WANTED)


def test_stamps(client: Any, workers: Workers) -> None:
    result = revoke_stamped(client, NODES, {"order": [17, 18], "who": "me"}, None, True, False)
    assert result["changed"]
    assert workers.stamps == {"headers": {"order": [17, 18], "who": ["me"]}}
    revoke_stamped(client, NODES, {"order": 17}, "SIGKILL", True, False)
    assert workers.stamps == {"headers": {"order": [17]}, "terminate": True, "signal": "SIGKILL"}


def test_stamps_in_check_mode(client: Any) -> None:
    assert revoke_stamped(client, NODES, {"order": 17}, None, True, True)["changed"]
    assert client.commands() == []


def test_stamps_and_a_silent_node(client: Any, workers: Workers) -> None:
    workers.silent = {"cpu1@w1"}
    with pytest.raises(CeleryOpsError, match="cpu1@w1 didn't answer"):
        revoke_stamped(client, NODES, {"order": 17}, None, True, False)
