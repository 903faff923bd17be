# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_change import (
    Wanted,
    absent,
    defined,
    moved,
    present,
    purged,
    refuse_unfit,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import (
    Binding,
    Definition,
    Moved,
    Reading,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies

QUORUM = {
    "task_create_missing_queue_type": "quorum",
    "task_create_missing_queue_exchange_type": "topic",
    "task_default_queue": "default",
    "task_default_queue_type": "quorum",
    "task_default_exchange": "tasks",
    "task_default_exchange_type": "topic",
    "task_default_routing_key": "tasks.default",
}
IDLE: dict[str, Any] = {
    "active_queues": [{"name": "other"}],
    "active": [],
    "reserved": [],
    "scheduled": [],
    "conf": {},
}


class Broker:
    """The broker's side, and what was done to it."""

    def __init__(self, on_redis: bool = True, **readings: Reading) -> None:
        self.on_redis = on_redis
        self.readings = readings
        self.done: list[Any] = []
        self.objection: str | None = None
        self.result: Moved | None = None

    def run(self, step: Any) -> Any:
        return step(self)

    def read(self, names: Collection[str], _most: int) -> dict[str, Reading]:
        return {name: self.readings.get(name, Reading(exists=False)) for name in names}

    def conflict(self, _definition: Definition) -> str | None:
        return self.objection

    def declare(self, definition: Definition) -> None:
        self.done.append(definition)

    def delete(self, name: str, _reading: Reading, *, force: bool) -> None:
        self.done.append(("delete", name, force))

    def purge(self, name: str) -> int:
        self.done.append(("purge", name))
        return 8

    def move(self, source: str, target: str, count: int, _until: float) -> Moved:
        self.done.append(("move", source, target, count))
        return self.result or Moved(count)


class Workers:
    """Nodes that answer; None is for a silent one."""

    duplicates: tuple[str, ...] = ()

    def __init__(self, **answers: dict[str, Any] | None) -> None:
        self.answers = {f"{name}@w1": answer for name, answer in answers.items()}
        self.calls: list[Any] = []

    def remaining(self) -> float:
        return 10.0

    def call(self, command: str, nodes: Any = None, **_: Any) -> Replies:
        found = {
            node: {**IDLE, **answer}[command]
            for node in nodes
            if (answer := self.answers.get(node)) is not None
        }
        return Replies(found, missing=[node for node in nodes if node not in found])

    def call_all(self, calls: Any, **_: Any) -> list[Replies]:
        self.calls += calls
        return [self.call(call.command, call.nodes) for call in calls]


class Nobody:
    """A client that isn't to be used."""

    def remaining(self) -> float:
        return 10.0


BOUND = [Binding("src", "src")]


def workers(**answers: Any) -> Any:
    """All nodes of the inventory, idle unless it is said otherwise."""
    nodes = {"cpu1": {}, "cpu2": {}, "io1": {}}
    found = Workers(**{**nodes, **answers})
    found.answers |= {"cpu1@w2": {}, "one1@w2": {}}
    return found


def test_a_queue_is_made_as_the_workers_would(cluster: Cluster) -> None:
    broker = Broker(on_redis=False)
    client = workers(cpu1={"conf": QUORUM})
    outcome = present(client, cluster, broker.run, Wanted("src"), check=False)
    wanted = Definition("src", "src", "topic", "src", True, {"x-queue-type": "quorum"})
    assert broker.done == [wanted]
    result = outcome.result()
    assert result["changed"]
    assert result["queues"]["src"] == {"before": None, "after": {**wanted.shown(), "bound": True}}


def test_check_mode_makes_nothing(cluster: Cluster) -> None:
    broker = Broker()
    outcome = present(workers(), cluster, broker.run, Wanted("src"), check=True)
    assert outcome.tracker.changed
    assert broker.done == []


@pytest.mark.parametrize(
    ("bindings", "changed", "declared"),
    [
        (BOUND, False, 0),
        ([Binding("", "src")], True, 1),
        # It isn't known: it is made, and no change is claimed.
        (None, False, 1),
    ],
)
def test_a_queue_that_is_there(
    cluster: Cluster, bindings: Any, changed: bool, declared: int
) -> None:
    broker = Broker(src=Reading(exists=True, bindings=bindings))
    outcome = present(workers(), cluster, broker.run, Wanted("src"), check=False)
    assert outcome.tracker.changed == changed
    assert len(broker.done) == declared


def test_a_queue_that_is_there_in_another_form(cluster: Cluster) -> None:
    broker = Broker(on_redis=False, src=Reading(exists=True))
    broker.objection = "its x-queue-type is 'classic', and 'quorum' is asked for"
    wanted = Wanted("src", type="quorum", exchange_type="topic")
    nobody: Any = Nobody()
    with pytest.raises(CeleryOpsError, match=r"'src' is there already, but its x-queue-type is 'c"):
        present(nobody, cluster, broker.run, wanted, check=False)
    assert broker.done == []


def test_settings_that_nobody_tells(cluster: Cluster) -> None:
    silent: Any = Workers()
    with pytest.raises(CeleryOpsError, match=r"no worker tells .*: start one, or give `type` and"):
        present(silent, cluster, Broker(on_redis=False).run, Wanted("src"), check=False)
    broker = Broker()
    present(silent, cluster, broker.run, Wanted("src"), check=False)
    assert broker.done == [Definition("src", "src", "direct", "src")]


@pytest.mark.parametrize(
    ("wanted", "settings", "definition"),
    [
        (Wanted("q"), {}, Definition("q", "q", "direct", "q")),
        (
            Wanted("default"),
            QUORUM,
            Definition(
                "default", "tasks", "topic", "tasks.default", True, {"x-queue-type": "quorum"}
            ),
        ),
        (
            Wanted("q", type="classic", exchange="e", routing_key="k", exchange_type="direct"),
            QUORUM,
            Definition("q", "e", "direct", "k", True, {"x-queue-type": "classic"}),
        ),
        (
            Wanted("q", arguments={"x-expires": 5}, durable=False),
            {"task_queue_max_priority": 10},
            Definition("q", "q", "direct", "q", False, {"x-expires": 5, "x-max-priority": 10}),
        ),
        (
            Wanted("q", type="quorum"),
            {"task_queue_max_priority": 10},
            Definition("q", "q", "direct", "q", True, {"x-queue-type": "quorum"}),
        ),
    ],
)
def test_definitions(wanted: Wanted, settings: Any, definition: Definition) -> None:
    assert defined(wanted, settings, on_redis=False) == definition
    assert defined(wanted, settings, on_redis=True).arguments == {}


@pytest.mark.parametrize(
    ("wanted", "on_redis", "sentence"),
    [
        (Wanted("q", exchange=""), False, "`exchange` is empty"),
        (Wanted("q", arguments={"x-queue-type": "quorum"}), False, "give the option `type`"),
        (Wanted("q", arguments={"x-max-priority": 5}), False, "give the option `max_priority`"),
        (Wanted("q", arguments={"x-max-lenght": 5}), False, "did you mean 'x-max-length'?"),
        (Wanted("q", type="quorum", durable=False), True, "`type` and `durable` can't be had on R"),
        (Wanted("q", arguments={"x-expires": 5}), True, "`arguments` can't be had on Redis"),
        (Wanted("q", max_priority=5), True, "`max_priority` can't be had on Redis"),
        (Wanted("q", max_priority=5, type="quorum"), False, "`max_priority` can't be had with"),
        (Wanted("q", max_priority=256), False, "from 1 to 255, not 256"),
    ],
)
def test_refusals(wanted: Wanted, on_redis: bool, sentence: str) -> None:
    with pytest.raises(CeleryOpsError) as caught:
        refuse_unfit(wanted, on_redis)
    assert sentence in str(caught.value)


def test_arguments_of_a_plug_in_are_let_through() -> None:
    refuse_unfit(Wanted("q", arguments={"x-message-deduplication": True}), on_redis=False)


@pytest.mark.parametrize("check", [False, True])
def test_an_unused_queue_is_deleted(cluster: Cluster, check: bool) -> None:
    broker = Broker(src=Reading(exists=True, bindings=BOUND, unacked=0))
    client = workers()
    outcome = absent(client, cluster, broker.run, "src", False, check)
    assert not any(call.directed for call in client.calls), "strangers may consume from it"
    result = outcome.result()
    assert result["changed"]
    assert result["queues"]["src"] == {
        "before": {"ready": 0, "unacked": 0, "type": None},
        "after": None,
    }
    assert result["nodes"]["cpu1@w1"] == {"consumes": False, "holds": 0}
    assert broker.done == ([] if check else [("delete", "src", False)])


def test_absent_on_absent(cluster: Cluster) -> None:
    nobody: Any = Nobody()
    outcome = absent(nobody, cluster, Broker().run, "src", False, check=False)
    assert not outcome.tracker.changed


def request(key: str, acknowledged: bool = False) -> dict[str, Any]:
    return {"acknowledged": acknowledged, "delivery_info": {"exchange": "", "routing_key": key}}


@pytest.mark.parametrize(
    ("reading", "answers", "sentence"),
    [
        (Reading(True, ready=3), {}, "3 messages wait in it; move or purge them"),
        (
            Reading(True),
            {"io1": {"active_queues": [{"name": "src"}]}},
            "io1@w1 consume from it; stop that by celery_consumer",
        ),
        (Reading(True, consumers=2), {}, "2 unknown consumers consume from it"),
        (Reading(True, unacked=4), {}, "workers hold 4 of its messages; wait until they have run"),
        (
            Reading(True),
            {"cpu1": {"active": [request("src"), request("other"), request("src", True)]}},
            "workers hold 1 of its messages at cpu1@w1;",
        ),
        (
            Reading(True, unacked=1),
            {"cpu1": {"scheduled": [{"eta": "x", "request": request("src")}]}},
            "workers hold 1 of its messages at cpu1@w1;",
        ),
        (Reading(True, unacked=0, unacked_exact=False), {}, "hold too many messages to tell"),
        (Reading(True), {"cpu2": None}, "it isn't known whether cpu2@w1 consume from it"),
    ],
)
def test_a_queue_in_use_is_kept(
    cluster: Cluster, reading: Reading, answers: Any, sentence: str
) -> None:
    broker = Broker(src=reading)
    with pytest.raises(CeleryOpsError) as caught:
        absent(workers(**answers), cluster, broker.run, "src", False, check=False)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(", or give `force: true`.")
    assert set(caught.value.result) >= {"nodes", "missing", "queues"}
    assert broker.done == []


def test_by_force_nobody_is_asked(cluster: Cluster) -> None:
    nobody: Any = Nobody()
    broker = Broker(src=Reading(True, ready=3))
    absent(nobody, cluster, broker.run, "src", True, check=False)
    assert broker.done == [("delete", "src", True)]


def test_purging() -> None:
    broker = Broker(src=Reading(True, ready=7))
    with pytest.raises(CeleryOpsError, match="give `confirm: true`"):
        purged(broker.run, "src", False, check=False)
    outcome = purged(broker.run, "src", False, check=True)
    assert (outcome.count, broker.done) == (7, [])
    outcome = purged(broker.run, "src", True, check=False)
    assert outcome.result()["queues"] == {"src": {"before": {"ready": 8}, "after": {"ready": 0}}}
    assert (outcome.count, broker.done) == (8, [("purge", "src")])


def test_purging_nothing() -> None:
    broker = Broker(src=Reading(True))
    assert not purged(broker.run, "src", True, check=False).tracker.changed
    assert broker.done == []
    with pytest.raises(CeleryOpsError, match="there is no queue 'nosuch': check the name"):
        purged(broker.run, "nosuch", True, check=False)


NOBODY: Any = Nobody()


@pytest.mark.parametrize(("limit", "count"), [(None, 7), (3, 3), (9, 7)])
def test_moving(limit: int | None, count: int) -> None:
    broker = Broker(src=Reading(True, ready=7), dst=Reading(True, ready=2))
    assert moved(NOBODY, broker.run, "src", "dst", limit, check=True).count == count
    assert broker.done == []
    outcome = moved(NOBODY, broker.run, "src", "dst", limit, check=False)
    assert broker.done == [("move", "src", "dst", count)]
    assert outcome.result()["queues"] == {
        "src": {"before": {"ready": 7}, "after": {"ready": 7 - count}},
        "dst": {"before": {"ready": 2}, "after": {"ready": 2 + count}},
    }


def test_moving_nothing() -> None:
    broker = Broker(src=Reading(True), dst=Reading(True))
    assert not moved(NOBODY, broker.run, "src", "dst", None, check=False).tracker.changed
    assert broker.done == []


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("src", "src", "`name` and `to` are the same queue 'src'"),
        ("nosuch", "src", "there is no queue 'nosuch': check the name"),
        ("src", "nosuch", "there is no queue 'nosuch' to move messages to: make it first"),
    ],
)
def test_moves_that_are_refused(source: str, target: str, sentence: str) -> None:
    broker = Broker(src=Reading(True, ready=7))
    with pytest.raises(CeleryOpsError, match=sentence):
        moved(NOBODY, broker.run, source, target, None, check=False)


def test_a_move_that_ends_early_tells_how_far_it_came() -> None:
    broker = Broker(src=Reading(True, ready=7), dst=Reading(True))
    broker.result = Moved(5, "the time-out is over")
    with pytest.raises(CeleryOpsError) as caught:
        moved(NOBODY, broker.run, "src", "dst", None, check=False)
    assert str(caught.value) == (
        "5 of 7 messages were moved from 'src' to 'dst' (the time-out is over): run it again for "
        "the rest; none is lost."
    )
    assert (caught.value.result["changed"], caught.value.result["count"]) == (True, 5)
