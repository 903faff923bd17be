# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._drain import eta_is_near
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import Range, Restart
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import PoolFile
from ansible_collections.celeryops.cluster.plugins.module_utils._resize import set_pools

Make = Callable[..., Any]
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def failed(client: Any, target: Any = 2, files: Any = ()) -> tuple[str, dict[str, Any]]:
    with pytest.raises(CeleryOpsError) as caught:
        set_pools(client, list(client.workers), target, files)
    return str(caught.value), caught.value.result


def test_nothing_to_do(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4), b1=worker(size=4))
    result = set_pools(client, ["a1@w1", "b1@w1"], 4)
    assert not result["changed"]
    assert result["nodes"]["a1@w1"] == {"before": 4, "after": 4}
    assert client.commands() == []
    assert client.now < 0.1


def test_growing_waits_for_the_processes(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=1), b1=worker(size=2), c1=worker(size=3))
    result = set_pools(client, list(client.workers), 3)
    assert result["changed"]
    assert [w.size for w in client.workers.values()] == [3, 3, 3]
    assert result["nodes"]["a1@w1"] == {"before": 1, "after": 3}
    assert result["diff"] == {
        "before": {"nodes": {"a1@w1": 1, "b1@w1": 2}},
        "after": {"nodes": {"a1@w1": 3, "b1@w1": 3}},
    }
    assert client.commands() == ["pool_grow", "pool_grow"]
    assert 4.0 < client.now < 5.0


def test_shrinking_waits_for_running_tasks(fleet: Make, worker: Make) -> None:
    client = fleet(
        a1=worker(size=4, busy_until=3.0, consumed=["default", "mail"]), b1=worker(size=4)
    )
    result = set_pools(client, list(client.workers), 2)
    assert [w.size for w in client.workers.values()] == [2, 2]
    assert client.workers["a1@w1"].consumed == ["default", "mail"]
    assert client.workers["b1@w1"].consumed == ["default"]
    assert result["nodes"]["a1@w1"] == {"before": 4, "after": 2}
    # The idle node didn't wait for the busy one.
    order = [
        (command, node) for command, node, _arguments in client.sent if command.startswith("pool_")
    ]
    assert order == [("pool_shrink", "b1@w1"), ("pool_shrink", "a1@w1")]
    assert 3.0 < client.now < 4.0


def test_growing_and_shrinking_at_once(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=1), b1=worker(size=4, busy_until=3.0))
    set_pools(client, list(client.workers), 2)
    assert [w.size for w in client.workers.values()] == [2, 2]
    assert client.now < 5.0


def test_an_eta_task_that_is_due_is_waited_for(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=2, eta=1.5))
    set_pools(client, ["a1@w1"], 1)
    assert client.now > 2.5
    later = fleet(a1=worker(size=2, eta=60.0))
    set_pools(later, ["a1@w1"], 1)
    assert later.now < 1.0


@pytest.mark.parametrize(
    ("eta", "near"),
    [
        ("2026-01-01T12:00:01+00:00", True),
        ("2026-01-01T11:00:00+00:00", True),
        ("2026-01-01T12:00:03Z", False),
        ("2026-01-01T12:00:03", False),
        ("2026-01-01T13:00:01.5+01:00", True),
        (None, False),
    ],
)
def test_eta_is_near(eta: str | None, near: bool) -> None:
    assert eta_is_near([{"eta": eta}], NOON) is near


def test_check_mode_only_reads(fleet: Make, worker: Make, tmp_path: Path) -> None:
    client = fleet(a1=worker(size=4), b1=worker(size=2))
    file = PoolFile("a", tmp_path / "a.env", {}, {"SIZE": "2"})
    result = set_pools(client, list(client.workers), 2, [file], check_mode=True)
    assert result["changed"]
    assert result["nodes"] == {
        "a1@w1": {"before": 4, "after": 2},
        "b1@w1": {"before": 2, "after": 2},
    }
    assert result["diff"]["after"] == {"nodes": {"a1@w1": 2}, "persisted": {"a": {"SIZE": "2"}}}
    assert client.commands() == []
    assert not file.path.exists()


def test_a_size_is_kept(fleet: Make, worker: Make, tmp_path: Path) -> None:
    file = PoolFile("a", tmp_path / "a.env", {}, {"SIZE": "2"})
    result = set_pools(fleet(a1=worker(size=2)), ["a1@w1"], 2, [file])
    assert result["changed"]
    assert result["persisted"] == {"a": {"before": {}, "after": {"SIZE": "2"}}}
    assert file.path.read_text() == "SIZE=2\n"


def test_a_file_that_cannot_be_written(fleet: Make, worker: Make, tmp_path: Path) -> None:
    file = PoolFile("a", tmp_path / "nosuch" / "a.env", {}, {"SIZE": "2"})
    sentence, result = failed(fleet(a1=worker(size=1)), 2, [file])
    assert "what was set live isn't kept" in sentence
    assert result["nodes"]["a1@w1"]["after"] == 2


def test_a_silent_node_is_named_and_the_others_are_done(
    fleet: Make, worker: Make, tmp_path: Path
) -> None:
    client = fleet(a1=worker(size=4), b1=worker(silent_from=0.0))
    file = PoolFile("a", tmp_path / "a.env", {}, {"SIZE": "2"})
    sentence, result = failed(client, 2, [file])
    assert sentence.startswith("Not all nodes are at 2: b1@w1 didn't answer and got no change")
    assert (result["changed"], result["missing"]) == (True, ["b1@w1"])
    assert result["nodes"] == {"a1@w1": {"before": 4, "after": 2}}
    assert file.path.exists()


def test_all_nodes_are_silent(fleet: Make, worker: Make, tmp_path: Path) -> None:
    file = PoolFile("a", tmp_path / "a.env", {}, {"SIZE": "2"})
    _sentence, result = failed(fleet(a1=worker(silent_from=0.0)), 2, [file])
    assert (result["changed"], result["persisted"]) == (False, {})
    assert not file.path.exists()


def test_no_node_at_all(fleet: Make) -> None:
    assert "no worker node was found" in failed(fleet())[0]


@pytest.mark.parametrize(
    ("options", "target", "sentence"),
    [
        ({"duplicated": True}, 4, "more than one worker bears the name a1@w1"),
        ({"kind": "threads"}, 4, "kind threads"),
        ({"autoscale": (1, 4)}, 4, "--autoscale=4,1"),
        ({}, Range(1, 4), "doesn't run under --autoscale"),
    ],
)
def test_refused_before_anything_is_sent(
    fleet: Make, worker: Make, options: dict[str, Any], target: Any, sentence: str
) -> None:
    client = fleet(a1=worker(**options), b1=worker(size=1))
    assert sentence in failed(client, target)[0]
    assert client.commands() == []


def test_a_duplicate_that_shows_up_late(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=1))

    def appear(command: str) -> None:
        client.workers["a1@w1"].duplicated = command == "pool_grow"

    client.before_command = appear
    sentence, result = failed(client)
    assert "is the name of more than one worker, and each was changed" in sentence
    assert result["duplicates"] == ["a1@w1"]


def test_a_node_that_refuses_to_tell(fleet: Make, worker: Make) -> None:
    sentence, result = failed(fleet(a1=worker(refusing={"stats": "broken"}), b1=worker(size=2)))
    assert "a1@w1 broken" in sentence
    assert result["errors"] == {"a1@w1": "broken"}


def test_a_node_that_refuses_to_shrink_is_resumed(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4, refusing={"pool_shrink": "Can't shrink pool."}))
    sentence, result = failed(client)
    assert "a1@w1 Can't shrink pool." in sentence
    assert (result["changed"], client.workers["a1@w1"].consumed) == (False, ["default"])


def test_a_busy_node_is_resumed_and_keeps_its_size(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4, busy_until=60.0))
    sentence, result = failed(client)
    assert "a1@w1 still ran or held tasks when the time was over, and is as it was" in sentence
    assert result["nodes"]["a1@w1"] == {"before": 4, "after": 4}
    assert not result["changed"]
    assert client.workers["a1@w1"].consumed == ["default"]
    assert client.now < 10.0


def test_a_short_timeout_suffices_for_an_idle_node(fleet: Make, worker: Make) -> None:
    client = fleet(timeout=1.0, a1=worker(size=4))
    assert set_pools(client, ["a1@w1"], 2)["changed"]


def test_processes_that_do_not_come_in_time(fleet: Make, worker: Make) -> None:
    client = fleet(timeout=2.0, a1=worker(size=1))
    sentence, result = failed(client)
    assert "a1@w1 is at 1 and not yet at 2: run the module again" in sentence
    assert not result["changed"]
    # The command is not sent twice.
    assert client.commands() == ["pool_grow"]


def test_a_change_without_reply_is_read_back(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=1, lost={"pool_grow"}))
    sentence, _result = failed(client)
    assert "a1@w1 stopped answering after the change was sent" in sentence

    client = fleet(a1=worker(size=1, lost={"pool_grow"}))

    def recover(command: str) -> None:
        if command == "stats" and client.now > 3:
            client.workers["a1@w1"].silent_from = float("inf")

    client.before_command = recover
    assert set_pools(client, ["a1@w1"], 2)["nodes"]["a1@w1"]["after"] == 2
    assert client.commands() == ["pool_grow"]


def test_an_earlier_command_that_takes_effect_late(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4))

    def take_effect(command: str) -> None:
        if command == "scheduled" and client.workers["a1@w1"].size == 4:
            client.workers["a1@w1"].size = 2

    client.before_command = take_effect
    set_pools(client, ["a1@w1"], 1)
    assert client.workers["a1@w1"].smallest == 1


def test_a_node_that_falls_silent_before_its_change(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4, lost={"active_queues"}))
    assert "a1@w1 stopped answering before its change" in failed(client)[0]
    assert client.commands() == []


def test_a_node_that_falls_silent_while_paused(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4, lost={"cancel_consumer"}), b1=worker(size=4))
    sentence, result = failed(client)
    assert "a1@w1 may still be paused, since it didn't show that it consumes from default" in (
        sentence
    )
    assert client.workers["b1@w1"].consumed == ["default"]
    assert result["nodes"]["a1@w1"]["after"] == 4


def test_a_node_that_does_not_pause(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4, stubborn={"cancel_consumer"}))
    assert "still ran or held tasks" in failed(client)[0]
    assert "pool_shrink" not in client.commands()


def test_a_node_that_refuses_to_name_its_queues(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4, refusing={"active_queues": "broken"}))
    assert "a1@w1 broken" in failed(client)[0]
    assert client.commands() == []


def test_the_broker_fails_in_the_drain_and_comes_back(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4, busy_until=60.0))
    client.broker_fails_from, client.broker_fails_until = 1.0, 3.0
    sentence, result = failed(client)
    assert "a1@w1 may have been changed or not: The broker at b:6379 is gone" in sentence
    assert ".;" not in sentence
    assert ".." not in sentence
    assert result["nodes"]["a1@w1"]["after"] == 4
    assert client.workers["a1@w1"].consumed == ["default"]


def test_the_broker_fails_for_good(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4, busy_until=60.0))
    client.broker_fails_from = 1.0
    sentence, _result = failed(client)
    assert "a1@w1 may still be paused" in sentence
    assert "again (The broker at b:6379 is gone)" in sentence
    assert client.now <= 10.0 + 5.0


def test_resuming_may_overrun_the_timeout(fleet: Make, worker: Make) -> None:
    client = fleet(timeout=4.0, a1=worker(size=4, busy_until=60.0))
    client.broker_fails_from, client.broker_fails_until = 1.5, 5.0
    failed(client)
    assert client.workers["a1@w1"].consumed == ["default"]


def test_the_broker_is_down_from_the_start(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker())
    client.broker_fails_from = 0.0
    with pytest.raises(BrokerError):
        set_pools(client, ["a1@w1"], 4)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_drain_is_resumed(fleet: Make, worker: Make, number: int) -> None:
    client = fleet(a1=worker(size=4, busy_until=60.0))
    previous = signal.getsignal(number)

    def interrupt(command: str) -> None:
        if command == "reserved":
            os.kill(os.getpid(), number)

    client.before_command = interrupt
    assert "Interrupted by SIG" in failed(client)[0]
    assert client.workers["a1@w1"].consumed == ["default"]
    assert signal.getsignal(number) == previous


def test_signals_are_left_alone_in_other_threads(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=4))
    thread = threading.Thread(target=set_pools, args=(client, ["a1@w1"], 2))
    thread.start()
    thread.join()
    assert client.workers["a1@w1"].size == 2


def test_a_range(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=2, autoscale=(1, 2)))
    result = set_pools(client, ["a1@w1"], Range(2, 6))
    assert result["nodes"]["a1@w1"] == {
        "before": {"min": 1, "max": 2},
        "after": {"min": 2, "max": 6},
    }
    assert client.commands() == ["autoscale"]


def test_a_range_below_the_present_size_is_a_shrink(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=6, autoscale=(1, 6), busy_until=2.0))
    set_pools(client, ["a1@w1"], Range(1, 3))
    assert client.workers["a1@w1"].size == 3
    assert client.commands() == ["cancel_consumer", "autoscale", "add_consumer"]


def test_many_failures_are_counted(fleet: Make, worker: Make) -> None:
    client = fleet(**{f"n{i}": worker(refusing={"stats": "broken"}) for i in range(9)})
    assert "6 more nodes failed (see `errors`)" in failed(client)[0]


def amqp(per_consumer: bool) -> Any:
    """Kombu's connection to RabbitMQ, from 4.0 on or before."""
    transport = SimpleNamespace(driver_type="amqp")
    return SimpleNamespace(transport=transport, qos_semantics_matches_spec=per_consumer)


RENEWING = ["cancel_consumer", "pool_grow", "add_consumer"]


def test_a_node_that_grows_gets_a_consumer_with_the_new_prefetch(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=1), b1=worker(size=2))
    client.connection = amqp(per_consumer=True)
    set_pools(client, list(client.workers), 2)
    assert client.commands() == RENEWING
    assert client.workers["a1@w1"].consumed == ["default"]
    assert 4.0 < client.now < 5.0


def test_a_node_that_grows_is_not_paused_for_long(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=1, busy_until=60.0))
    client.connection = amqp(per_consumer=True)
    resumed: list[float] = []
    client.before_command = lambda name: resumed.append(client.now) if "add_" in name else None
    set_pools(client, ["a1@w1"], 2)
    assert client.commands() == RENEWING
    assert 2.0 < resumed[0] < 3.0
    assert client.now < 8.0


@pytest.mark.parametrize("timeout", [1.0, 2.0])
def test_a_short_timeout_suffices_to_grow_a_busy_node(
    fleet: Make, worker: Make, timeout: float
) -> None:
    client = fleet(timeout=timeout, a1=worker(size=1, busy_until=60.0))
    client.connection = amqp(per_consumer=True)
    assert "a1@w1 is at 1 and not yet at 2" in failed(client)[0]
    assert client.commands() == RENEWING


def test_older_brokers_renew_only_for_quorum_queues(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=1), b1=worker(size=1, queue_type="quorum"))
    client.connection = amqp(per_consumer=False)
    set_pools(client, list(client.workers), 2)
    assert [name for name, node, _arguments in client.sent if node == "a1@w1"].count("stats") > 1
    assert [
        name for name, node, _ in client.sent if node == "b1@w1" and name in client.commands()
    ] == RENEWING
    assert "cancel_consumer" not in [n for n, node, _ in client.sent if node == "a1@w1"]


def test_an_earlier_growth_that_takes_effect_late_is_not_doubled(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=1))
    client.connection = amqp(per_consumer=True)

    def take_effect(command: str) -> None:
        if command == "cancel_consumer":
            client.workers["a1@w1"].size = 2

    client.before_command = take_effect
    set_pools(client, ["a1@w1"], 2)
    assert client.commands() == ["cancel_consumer", "add_consumer"]


def test_a_range_moves_the_prefetch_only_with_its_upper_bound(fleet: Make, worker: Make) -> None:
    for target, commands in (
        (Range(1, 6), ["cancel_consumer", "autoscale", "add_consumer"]),
        (Range(2, 4), ["autoscale"]),
    ):
        client = fleet(a1=worker(size=2, autoscale=(1, 4)))
        client.connection = amqp(per_consumer=True)
        set_pools(client, ["a1@w1"], target)
        assert client.commands() == commands


def test_a_range_waits_for_the_processes_of_its_lower_bound(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=1, autoscale=(1, 4)))
    set_pools(client, ["a1@w1"], Range(3, 4))
    assert client.workers["a1@w1"].size == 3
    assert client.now > 4.0


def test_a_restart_replaces_every_process(fleet: Make, worker: Make) -> None:
    client = fleet(timeout=20.0, a1=worker(size=2, busy_until=3.0), b1=worker(size=3))
    result = set_pools(client, list(client.workers), Restart())
    assert result["changed"]
    assert result["nodes"] == {
        "a1@w1": {"before": [100, 101], "after": [102, 103]},
        "b1@w1": {"before": [100, 101, 102], "after": [103, 104, 105]},
    }
    assert [w.consumed for w in client.workers.values()] == [["default"], ["default"]]
    for node in client.workers:
        assert [name for name, n, _ in client.sent if n == node and name.startswith("pool_")] == [
            "pool_grow",
            "pool_shrink",
        ]


def test_a_restart_in_check_mode(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=2))
    result = set_pools(client, ["a1@w1"], Restart(), check_mode=True)
    assert result["changed"]
    assert result["nodes"] == {"a1@w1": {"before": [100, 101], "after": None}}
    assert client.commands() == []


def test_a_restart_without_the_time_for_it(fleet: Make, worker: Make) -> None:
    client = fleet(timeout=7.0, a1=worker())
    assert "a restart takes up to 7 s" in failed(client, Restart())[0]
    assert client.commands() == []


def test_a_restart_does_not_begin_too_late(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=2, busy_until=5.0))
    sentence, result = failed(client, Restart())
    assert sentence.startswith("Not all nodes are restarted: a1@w1 still ran or held tasks")
    assert not result["changed"]
    assert client.commands() == ["cancel_consumer", "add_consumer"]
    assert client.now < 5.0


def test_a_restart_whose_processes_do_not_come(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=2, stubborn={"pool_grow"}))
    sentence, _result = failed(client, Restart())
    assert "a1@w1 is at 2 and not yet at 4" in sentence
    assert client.workers["a1@w1"].consumed == ["default"]


def test_a_restart_that_left_an_old_process(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=2))

    def spare_the_oldest(command: str) -> None:
        if command == "pool_shrink":
            client.workers["a1@w1"].oldest -= 1

    client.before_command = spare_the_oldest
    sentence, _result = failed(client, Restart())
    assert "a1@w1 still has processes from before (101): restart its service" in sentence


def test_the_broker_fails_in_a_restart(fleet: Make, worker: Make) -> None:
    client = fleet(a1=worker(size=2, busy_until=60.0))
    client.broker_fails_from, client.broker_fails_until = 1.0, 3.0
    sentence, _result = failed(client, Restart())
    assert "a1@w1 may have been changed or not: The broker at b:6379 is gone" in sentence
    assert client.workers["a1@w1"].consumed == ["default"]
