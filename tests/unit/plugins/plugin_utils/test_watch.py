from __future__ import annotations

from ansible_collections.celeryops.cluster.plugins.plugin_utils._watch import (
    Event,
    Sight,
    Thresholds,
    Watch,
)

LIMITS = Thresholds(
    backlog_high=100,
    backlog_low=50,
    lost_after=60,
    failures_high=0.1,
    failures_low=0.05,
    failures_window=300,
    failures_least=20,
)
NODES = ["cpu1@one", "cpu1@two"]


def waiting(backlog: int) -> Sight:
    return Sight({"orders": backlog}, NODES, NODES)


def with_nodes(*answering: str) -> Sight:
    return Sight({}, answering, NODES)


def with_outcomes(failed: int, succeeded: int) -> Sight:
    return Sight({}, NODES, NODES, [True] * failed + [False] * succeeded)


def types(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


def test_nothing_is_told_of_a_cluster_that_works() -> None:
    watch = Watch(LIMITS)
    assert [watch.see(waiting(99), now) for now in range(0, 1000, 10)] == [[]] * 100


def test_a_backlog_is_told_when_it_comes_and_when_it_has_gone() -> None:
    watch = Watch(LIMITS)
    assert watch.see(waiting(100), 0) == [
        {
            "type": "backlog_high",
            "queue": "orders",
            "backlog": 100,
            "threshold": 100,
            "text": "100 tasks wait for queue 'orders'.",
        }
    ]
    assert watch.see(waiting(500), 10) == []
    assert watch.see(waiting(51), 20) == []
    assert watch.see(waiting(100), 30) == []
    assert types(watch.see(waiting(50), 40)) == ["backlog_low"]
    assert watch.see(waiting(99), 50) == []


def test_queues_are_told_apart() -> None:
    watch = Watch(LIMITS)
    assert types(watch.see(Sight({"a": 100, "b": 1}, NODES, NODES), 0)) == ["backlog_high"]
    assert [event["queue"] for event in watch.see(Sight({"a": 1, "b": 100}, NODES, NODES), 10)] == [
        "a",
        "b",
    ]


def test_a_node_is_lost_after_a_while_and_told_once() -> None:
    watch = Watch(LIMITS)
    assert watch.see(with_nodes(*NODES), 0) == []
    assert watch.see(with_nodes("cpu1@one"), 50) == []
    [lost] = watch.see(with_nodes("cpu1@one"), 60)
    assert (lost["type"], lost["node"], lost["host"]) == ("node_lost", "cpu1@two", "two")
    assert (lost["pool"], lost["instance"]) == ("cpu", "1")
    assert lost["meta"] == {"hosts": "two"}
    assert watch.see(with_nodes("cpu1@one"), 500) == []
    [back] = watch.see(with_nodes(*NODES), 510)
    assert (back["type"], back["node"], back["seconds"]) == ("node_back", "cpu1@two", 510)
    assert watch.see(with_nodes(*NODES), 520) == []


def test_a_node_that_is_silent_for_a_moment_is_not_lost() -> None:
    watch = Watch(LIMITS)
    for now in range(0, 600, 50):
        assert watch.see(with_nodes(*NODES), now) == []
        assert watch.see(with_nodes("cpu1@one"), now + 25) == []


def test_a_node_that_never_came_is_lost() -> None:
    watch = Watch(LIMITS)
    assert watch.see(with_nodes("cpu1@one"), 0) == []
    assert types(watch.see(with_nodes("cpu1@one"), 60)) == ["node_lost"]


def test_a_node_that_left_the_inventory_is_not_missed() -> None:
    watch = Watch(LIMITS)
    watch.see(with_nodes(*NODES), 0)
    assert watch.see(Sight({}, ["cpu1@one"], ["cpu1@one"]), 100) == []
    assert watch.see(Sight({}, ["cpu1@one"], ["cpu1@one"]), 200) == []


def test_nodes_have_time_to_come_back_after_their_broker() -> None:
    watch = Watch(LIMITS)
    watch.see(with_nodes(*NODES), 0)
    assert watch.see_nothing("The broker is away.", 10) == [
        {"type": "broker_lost", "text": "The broker is away."}
    ]
    assert watch.see_nothing("The broker is away.", 20) == []
    [back] = watch.see(with_nodes(), 200)
    assert (back["type"], back["seconds"]) == ("broker_back", 190)
    assert watch.see(with_nodes("cpu1@one"), 210) == []
    assert [event["node"] for event in watch.see(with_nodes("cpu1@one"), 260)] == ["cpu1@two"]


def test_what_was_lost_before_the_broker_is_not_told_again() -> None:
    watch = Watch(LIMITS)
    watch.see(with_nodes(), 0)
    assert types(watch.see(with_nodes(), 60)) == ["node_lost", "node_lost"]
    watch.see_nothing("The broker is away.", 70)
    assert types(watch.see(with_nodes(), 80)) == ["broker_back"]
    assert watch.see(with_nodes(), 200) == []


def test_failures_are_told_as_a_share_of_enough_tasks() -> None:
    watch = Watch(LIMITS)
    assert watch.see(with_outcomes(5, 14), 0) == []
    [high] = watch.see(with_outcomes(0, 1), 10)
    assert (high["type"], high["failed"], high["ended"], high["share"]) == (
        "failures_high",
        5,
        20,
        0.25,
    )
    assert watch.see(with_outcomes(0, 60), 20) == []
    assert types(watch.see(with_outcomes(0, 20), 30)) == ["failures_low"]
    assert watch.see(with_outcomes(1, 0), 40) == []


def test_failures_are_forgotten_with_their_window() -> None:
    watch = Watch(LIMITS)
    assert types(watch.see(with_outcomes(20, 0), 0)) == ["failures_high"]
    assert watch.see(with_outcomes(0, 0), 300) == []
    assert types(watch.see(with_outcomes(0, 0), 301)) == ["failures_low"]
