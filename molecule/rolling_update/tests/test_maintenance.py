"""Hosts restart and leave service while the cluster works on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

State = dict[str, tuple[str, str]]


def test_health_shows_each_node(operate: Callable[..., Any]) -> None:
    run = operate("health")
    assert run.errors == []
    for node in ("work1@worker1", "work1@worker2", "work1@worker3", "work1@worker4"):
        assert any(node in line and "healthy" in line for line in run.output.splitlines())


@pytest.mark.full
def test_a_restart_under_load_loses_and_doubles_no_task(
    operate: Callable[..., Any],
    state: Callable[[], State],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    before = state()
    sending = load()
    run = operate("restart", celery_worker_pause=1)
    assert run.errors == []
    assert run.output.count("Pausing for 1 seconds") == 3
    after = state()
    for name, (release, started) in before.items():
        assert after[name][0] == release
        assert after[name][1] != started
    all_done(sending)


def test_the_whole_cluster_is_not_drained(operate: Callable[..., Any]) -> None:
    run = operate("drain")
    (error,) = run.errors
    assert error.startswith("No node would be left that consumes from checks, default")


def test_a_drained_host_takes_no_task_until_it_is_resumed(
    operate: Callable[..., Any],
    module: Callable[..., dict[str, Any]],
    load: Callable[..., Any],
    all_done: Callable[..., None],
    wait_until: Callable[..., None],
) -> None:
    sending = load()
    assert operate("drain", "--limit=worker3").errors == []

    def taken() -> int:
        (node,) = module("celery_info", on="worker3", gather=["stats"])["nodes"].values()
        return int(node["stats"]["total"].get("monitoring_app.tasks.operations.work", 0))

    before = taken()
    (error,) = operate("drain", "--limit=worker1,worker2,worker4").errors
    assert error.startswith("No node would be left that consumes from checks, default")
    (error,) = operate("health", "--limit=worker3").errors
    assert "it is paused" in error
    assert taken() == before
    assert operate("resume", "--limit=worker3").errors == []
    wait_until(lambda: taken() > before)
    all_done(sending)


@pytest.mark.full
def test_a_pool_is_not_drained_everywhere(operate: Callable[..., Any]) -> None:
    run = operate("drain", celery_worker_drain_pool="work")
    assert "No node would be left that consumes from checks, default" in " ".join(run.errors)
    run = operate("drain", "--limit=worker3", celery_worker_drain_pool="wrok")
    assert "did you mean 'work'?" in " ".join(run.errors)


@pytest.mark.full
def test_a_pool_of_a_host_is_drained_and_resumed(
    operate: Callable[..., Any],
    module: Callable[..., dict[str, Any]],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
) -> None:
    def queues() -> list[str]:
        (node,) = module("celery_health", on="worker3", nodes=["*@worker3"])["nodes"].values()
        return list(node["queues"])

    sending = load()
    assert operate("drain", "--limit=worker3", celery_worker_drain_pool="work").errors == []
    assert queues() == []
    assert operate("resume", "--limit=worker3", celery_worker_drain_pool="work").errors == []
    assert queues() == ["checks", "default"]
    all_done(sending)


@pytest.mark.full
def test_a_queue_rests_while_the_others_go_on(
    operate: Callable[..., Any],
    module: Callable[..., dict[str, Any]],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
) -> None:
    sending = load()
    assert operate("drain", celery_worker_drain_queues="checks").errors == []
    health = module("celery_health", on="worker1", nodes="all")
    assert {tuple(node["queues"]) for node in health["nodes"].values()} == {("default",)}
    (error,) = operate("health").errors
    assert "work1@worker1: doesn't consume from 'checks'" in error
    assert "no examined node shows that it consumes from queue 'checks'" in error
    again = operate("drain", celery_worker_drain_queues="checks")
    assert (again.errors, set(again.changed.values())) == ([], {0})
    assert operate("resume", celery_worker_drain_queues="checks").errors == []
    assert operate("health").errors == []
    all_done(sending)
