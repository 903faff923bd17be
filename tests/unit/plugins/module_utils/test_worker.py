# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._worker import (
    Wish,
    set_workers,
    settle_seconds,
)

Make = Callable[..., Any]
PAUSED, DRAINED, CONSUMING = (Wish(state, None) for state in ("paused", "drained", "consuming"))


def inventory(client: Any, **changes: Any) -> Cluster:
    """An inventory that agrees with the fleet, seen from a host without workers."""
    node = Node("", "w1", "a", "prefork", ("default",), 2, "1.0.0-a")
    nodes = {
        name: replace(node, name=name, kind=worker.kind, **changes)
        for name, worker in client.workers.items()
    }
    return Cluster(Broker("redis://b", "x"), app="shop", host="b1", nodes=nodes)


def done(client: Any, wish: Wish, **options: Any) -> dict[str, Any]:
    return set_workers(client, inventory(client), list(client.workers), wish, **options)


def failed(client: Any, wish: Wish, cluster: Cluster | None = None) -> tuple[str, dict[str, Any]]:
    with pytest.raises(CeleryOpsError) as caught:
        set_workers(client, cluster or inventory(client), list(client.workers), wish)
    return str(caught.value), caught.value.result


def test_pausing_and_again(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(consumed=["default", "mail"], door=True, busy_until=60.0))
    result = done(client, PAUSED)
    assert result["changed"]
    assert result["nodes"]["a1@w1"] == {
        "before": {"state": "consuming", "queues": ["default", "mail"]},
        "after": {"state": "paused", "queues": []},
    }
    assert result["diff"]["after"] == {"nodes": {"a1@w1": {"state": "paused", "queues": []}}}
    assert [task["name"] for task in result["remaining"]["a1@w1"]] == ["nap"]
    assert "drained" not in result
    assert client.commands() == ["cancel_consumer", "cancel_consumer"]
    assert client.now < 1.0
    # A task that ends meanwhile is no change of the node.
    client.workers["a1@w1"].busy_until = 0.0
    assert not done(client, PAUSED)["changed"]
    assert len(client.commands()) == 2


def test_draining_waits_until_nothing_is_left(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(busy_until=3.0), b1=worker(consumed=[]), c1=worker())
    result = done(client, DRAINED)
    assert (result["changed"], result["drained"]) == (True, True)
    assert {node["after"]["state"] for node in result["nodes"].values()} == {"drained"}
    assert result["nodes"]["b1@w1"]["before"]["state"] == "drained"
    assert 3.0 + 1.5 < client.now < 5.5
    assert client.commands() == ["cancel_consumer", "cancel_consumer"]
    assert not done(fleet(a1=worker(consumed=[])), DRAINED)["changed"]


def test_a_task_that_comes_late_starts_the_wait_anew(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker())

    def fetch(_command: str) -> None:
        if 1.0 < client.now < 1.2:
            client.workers["a1@w1"].busy_until = 2.0

    client.before_command = fetch
    assert done(client, DRAINED)["drained"]
    assert client.now > 2.0 + 1.5


def task(number: int, key: str) -> dict[str, Any]:
    return {"id": str(number), "name": "nap", "delivery_info": {"routing_key": key}}


def test_a_queue_is_drained_and_the_others_go_on(fleet: Make, worker: Make) -> None:
    mails = Wish("drained", None, queues=frozenset({"mail"}))
    others = [task(1, "default"), task(2, "0.0.1.1.default")]
    client = fleet(
        a1=worker(consumed=["default", "mail"], running=others),
        b1=worker(consumed=["mail"]),
        c1=worker(consumed=["default"], running=others),
    )
    cluster = inventory(client, queues=("default", "mail"))
    result = set_workers(client, cluster, list(client.workers), mails)
    assert result["drained"]
    assert result["nodes"]["a1@w1"]["before"] == {"state": "consuming", "queues": ["mail"]}
    assert {name: known.consumed for name, known in client.workers.items()} == {
        "a1@w1": ["default"],
        "b1@w1": [],
        "c1@w1": ["default"],
    }
    assert not set_workers(client, cluster, list(client.workers), mails)["changed"]
    again = replace(mails, state="consuming")
    assert set_workers(client, cluster, ["a1@w1", "b1@w1"], again)["changed"]
    assert client.workers["a1@w1"].consumed == ["default", "mail"]
    assert client.workers["b1@w1"].consumed == ["mail"]


@pytest.mark.parametrize("key", ["mail", "0.0.1.mail", "order.paid"])
def test_tasks_of_a_queue_are_waited_for(fleet: Make, worker: Make, key: str) -> None:
    # It can't be told from which queue the last one came.
    mails = Wish("drained", None, "resume", frozenset({"mail"}))
    client = fleet(a1=worker(consumed=["default", "mail"], running=[task(1, key)]))
    with pytest.raises(CeleryOpsError, match="still runs or holds 1 tasks") as caught:
        set_workers(client, inventory(client, queues=("default", "mail")), ["a1@w1"], mails)
    assert [task["id"] for task in caught.value.result["remaining"]["a1@w1"]] == ["1"]
    assert client.workers["a1@w1"].consumed == ["default", "mail"]


def test_an_unknown_queue_is_refused(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker())
    text, _result = failed(client, Wish("paused", None, queues=frozenset({"mial"})))
    assert text == "no node consumes from mial by the inventory; known: default."
    assert client.commands() == []


def test_tasks_with_a_time_to_come_do_not_count(fleet: Make, worker: Make) -> None:
    assert done(fleet(a1=worker(eta=60.0)), DRAINED)["drained"]


def test_a_node_that_is_not_drained_in_time(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(busy_until=60.0), b1=worker())
    sentence, result = failed(client, DRAINED)
    assert "a1@w1 still runs or holds 1 tasks (nap), and consumes again: run the module" in sentence
    assert client.workers["a1@w1"].consumed == ["default"]
    assert client.workers["b1@w1"].consumed == []
    assert result["nodes"]["a1@w1"]["before"] == result["nodes"]["a1@w1"]["after"]
    assert (result["drained"], result["missing"]) == (False, [])
    assert client.now <= 10.5


def test_a_paused_node_that_is_not_drained_in_time_stays_paused(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(busy_until=60.0, consumed=[]))
    assert "and stays paused, as it was" in failed(client, DRAINED)[0]
    assert client.commands() == []


def test_failing_and_staying_leave_a_node_paused(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(busy_until=60.0))
    sentence, _result = failed(client, Wish("drained", None, "fail"))
    assert sentence == "Not all nodes are drained: a1@w1 still runs or holds 1 tasks (nap)."
    assert client.workers["a1@w1"].consumed == []

    client = fleet(a1=worker(busy_until=15.0))
    stay = Wish("drained", None, "stay")
    result = done(client, stay)
    assert (result["changed"], result["drained"], result["errors"]) == (True, False, {})
    assert result["remaining"]["a1@w1"] == [{"id": None, "name": "nap", "runtime": None}]
    client.deadline += 10.0
    again = done(client, stay)
    assert (again["changed"], again["drained"]) == (True, True)
    assert client.commands() == ["cancel_consumer"]


def test_the_seconds_that_a_task_runs(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(running=[{"id": "i", "name": "nap", "time_start": 1.0}]))
    (task,) = done(client, PAUSED)["remaining"]["a1@w1"]
    assert (task["id"], task["runtime"] > 1e9) == ("i", True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_drain_is_resumed(fleet: Make, worker: Make, number: int) -> None:
    client = fleet(a1=worker(busy_until=60.0))

    def interrupt(_command: str) -> None:
        if client.now > 1.0:
            client.before_command = lambda _command: None
            os.kill(os.getpid(), number)

    client.before_command = interrupt
    with pytest.raises(CeleryOpsError, match="Interrupted by SIG"):
        done(client, DRAINED)
    assert client.workers["a1@w1"].consumed == ["default"]


def test_the_broker_is_away_during_a_drain(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(busy_until=4.0))
    client.broker_fails_from, client.broker_fails_until = 1.0, 5.0
    assert done(client, DRAINED)["drained"]
    assert client.now > 6.5

    client = fleet(a1=worker(busy_until=4.0))
    client.broker_fails_from, client.broker_fails_until = 1.0, 12.0
    assert (
        "couldn't be read (The broker at b:6379 is gone), and consumes"
        in (failed(client, DRAINED)[0])
    )


def test_the_broker_is_down_from_the_start(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker())
    client.broker_fails_from = 0.0
    with pytest.raises(BrokerError):
        done(client, DRAINED)


def test_a_node_that_does_not_pause(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(stubborn={"cancel_consumer"}))
    sentence, result = failed(client, PAUSED)
    assert "a1@w1 still consumes from default, though it was told to pause" in sentence
    assert not result["changed"]


def test_a_dead_node_is_named_and_the_others_are_done(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(), b1=worker(silent_from=0.0))
    sentence, result = failed(client, DRAINED)
    assert "b1@w1 didn't answer and got no change" in sentence
    assert (result["missing"], result["drained"]) == (["b1@w1"], False)
    assert result["nodes"]["a1@w1"]["after"]["state"] == "drained"


def solo(client: Any, wakes: float) -> Any:
    """Have a busy worker of kind solo hear commands, and carry them out when its task ends."""
    busy = client.workers["s1@w1"]
    heard: list[str] = []
    original = client._reply

    def reply(call: Any) -> Any:
        if client.now < wakes:
            heard.extend([call.command] if call.command.endswith("_consumer") else [])
        elif busy.silent_from == 0.0:
            busy.silent_from = float("inf")
            for command in heard:
                busy.consumed[:] = [] if command == "cancel_consumer" else ["default"]
        return original(call)

    client._reply = reply
    return busy


def test_a_busy_solo_worker_is_waited_for(fleet: Make, worker: Make) -> None:
    client = fleet(timeout=20.0, s1=worker(kind="solo", silent_from=0.0))
    solo(client, wakes=6.0)
    result = done(client, DRAINED)
    assert (result["drained"], result["missing"]) == (True, [])
    assert result["nodes"]["s1@w1"]["before"]["queues"] == ["default"]
    assert result["nodes"]["s1@w1"]["after"]["queues"] == []


def test_a_busy_solo_worker_gives_up_queues_that_nobody_knew_of(fleet: Make, worker: Make) -> None:
    client = fleet(timeout=20.0, s1=worker(kind="solo", silent_from=6.0, consumed=["live"]))
    client.now = 6.0
    client.before_command = lambda _command: setattr(
        client.workers["s1@w1"], "silent_from", 6.0 if client.now < 12.0 else float("inf")
    )
    result = done(client, DRAINED)
    assert result["drained"]
    assert client.workers["s1@w1"].consumed == []
    assert client.commands() == ["cancel_consumer"]


def test_a_busy_solo_worker_that_does_not_end_in_time_is_resumed(fleet: Make, worker: Make) -> None:
    client = fleet(s1=worker(kind="solo", silent_from=0.0))
    busy = solo(client, wakes=60.0)
    sentence, result = failed(client, DRAINED)
    assert "s1@w1 may still be paused" in sentence
    assert result["missing"] == ["s1@w1"]
    client.now = 60.0
    client.call("ping", nodes=["s1@w1"])
    assert busy.consumed == ["default"]

    client = fleet(s1=worker(kind="solo", silent_from=0.0))
    solo(client, wakes=60.0)
    result = done(client, Wish("drained", None, "stay"))
    assert (result["drained"], result["missing"], result["changed"]) == (False, ["s1@w1"], False)


def test_a_node_that_falls_silent_during_a_drain(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(lost={"cancel_consumer"}))
    sentence, _result = failed(client, Wish("drained", None, "fail"))
    assert "a1@w1 hasn't answered since it was told to pause" in sentence


def test_check_mode_only_reads(fleet: Make, worker: Make) -> None:
    for wish, state, queues in (
        (DRAINED, "drained", []),
        (PAUSED, "paused", []),
        (CONSUMING, "consuming", ["default", "mail"]),
    ):
        client = fleet(a1=worker(consumed=["mail"], busy_until=9.0))
        result = done(client, wish, check_mode=True)
        assert result["changed"]
        assert result["nodes"]["a1@w1"]["after"] == {"state": state, "queues": queues}
        assert client.commands() == []


def test_consuming_means_what_the_inventory_says(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(consumed=[]), b1=worker(consumed=["more"]), c1=worker())
    client.workers["b1@w1"].conf = {"task_create_missing_queue_type": "quorum"}
    result = done(client, CONSUMING)
    assert [node["after"]["queues"] for node in result["nodes"].values()] == [
        ["default"],
        ["default", "more"],
        ["default"],
    ]
    assert client.commands() == ["add_consumer", "add_consumer"]
    assert client.workers["b1@w1"].definitions["default"]["queue_arguments"] == {
        "x-queue-type": "quorum"
    }
    assert not done(client, CONSUMING)["changed"]


def test_consuming_means_what_was_set_live_too(
    fleet: Make, worker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = {"CELERYOPS_DECLARED_QUEUES": "default", "CELERY_WORKER_QUEUES": "default,live"}
    client = fleet(a1=worker(consumed=[], live=live))
    assert done(client, CONSUMING)["nodes"]["a1@w1"]["after"]["queues"] == ["default", "live"]

    # A worker without the runtime can't tell, and its host's file is at hand only there.
    path = "ansible_collections.celeryops.cluster.plugins.module_utils._worker.kept_value"
    monkeypatch.setattr(path, lambda *_: "default,kept")
    for host, queues in (("w1", ["default", "kept"]), ("b1", ["default"])):
        client = fleet(a1=worker(consumed=[]))
        cluster = replace(inventory(client, release=None), host=host)
        result = set_workers(client, cluster, ["a1@w1"], CONSUMING)
        assert result["nodes"]["a1@w1"]["after"]["queues"] == queues


def test_consuming_without_an_inventory(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(consumed=[]), b1=worker())
    sentence, result = failed(client, CONSUMING, Cluster(Broker("redis://b", "x")))
    assert "a1@w1 is paused, and what it should consume from isn't known without `app`" in sentence
    assert (result["changed"], client.commands()) == (False, [])


def test_events_are_switched(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(events=False), b1=worker(events=True))
    wish = Wish(None, True)
    assert done(client, wish, check_mode=True)["changed"]
    result = done(client, wish)
    assert result["nodes"]["a1@w1"] == {"before": {"events": False}, "after": {"events": True}}
    assert client.commands() == ["enable_events"]
    assert not done(client, wish)["changed"]
    assert done(client, Wish("paused", False))["nodes"]["b1@w1"]["after"] == {
        "state": "paused",
        "queues": [],
        "events": False,
    }


def test_events_of_workers_that_cannot_tell(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(events=False), b1=worker(events=True))
    cluster = inventory(client, release=None)
    for wanted, first in ((False, "b1@w1"), (True, "a1@w1")):
        client.workers[first].events = not wanted
        result = set_workers(client, cluster, list(client.workers), Wish(None, wanted))
        changed = [n for n, node in result["nodes"].items() if node["before"] != node["after"]]
        assert first in changed
        assert {w.events for w in client.workers.values()} == {wanted}
        again = set_workers(client, cluster, list(client.workers), Wish(None, wanted))
        assert not again["changed"]


def test_events_that_cannot_be_switched_off(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(events=True, events_locked=True))
    sentence, result = failed(client, Wish(None, False), inventory(client, release=None))
    assert "a1@w1 was started with task events on, and Celery can't switch these off" in sentence
    assert result["nodes"]["a1@w1"]["after"] == {"events": True}
    assert "without task events" in sentence


def test_a_worker_without_an_event_dispatcher(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(events=False, refusing={"enable_events": "unavailable"}))
    assert "a1@w1 unavailable" in failed(client, Wish(None, True))[0]


def test_duplicates_are_refused_before_anything_is_sent(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(duplicated=True))
    assert "more than one worker bears the name a1@w1" in failed(client, PAUSED)[0]
    assert client.commands() == []


def test_a_duplicate_that_shows_up_late(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker())

    def appear(command: str) -> None:
        client.workers["a1@w1"].duplicated = command == "cancel_consumer"

    client.before_command = appear
    assert "is the name of more than one worker" in failed(client, PAUSED)[0]


def test_no_node_at_all(fleet: Make) -> None:
    assert "no worker node was found" in failed(fleet(), PAUSED)[0]


def test_how_long_a_fetch_may_be_under_way() -> None:
    assert settle_seconds(Broker("redis://b", "x")) == 1.5
    assert settle_seconds(Broker("redis://b", "x", {"polling_interval": 5})) == 5.5
