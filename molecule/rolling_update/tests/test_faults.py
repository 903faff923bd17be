"""Something else fails in the middle of an update, or the release has a fault that shows late."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

UNIT = "celery-monitoring-work@1.service"
# Of a worker, and of all four.
PROCESSES = 2
ALL_PROCESSES = 8
# The application starts, and takes no task from any queue.
IDLE_WORKERS = """

from celery.signals import worker_ready

def leave(sender, **_):
    for queue in list(sender.app.amqp.queues.consume_from):
        sender.cancel_task_queue(queue)

worker_ready.connect(leave, weak=False)
"""
# It works, until it crashes.
DYING_WORKERS = """

import os, threading
from celery.signals import worker_ready
worker_ready.connect(lambda **_: threading.Timer(20, os._exit, [1]).start(), weak=False)
"""
# It works, and doesn't end when it is told to.
UNENDING_WORKERS = """

import time
from celery.signals import worker_shutting_down
worker_shutting_down.connect(lambda **_: time.sleep(3600), weak=False)
"""

State = dict[str, tuple[str, str]]


def releases(state: State) -> set[str]:
    return {release for release, _started in state.values()}


@pytest.mark.full
def test_a_host_that_dies_in_the_middle_stops_the_roll(
    cluster: dict[str, Host],
    power: Callable[[str, str], None],
    begin: Callable[..., Any],
    changing: Callable[[str], Callable[[], bool]],
    update: Callable[..., Any],
    state: Callable[[], State],
    as_told: Callable[[Any], None],
    load: Callable[..., Any],
    all_done: Callable[..., None],
    lost_with_a_host: int,
    wait_until: Callable[..., None],
) -> None:
    before = state()
    changed = {"celery_app_packages": ["toml"]}
    sending = load()
    run = begin("rolling_update", until=changing("worker2"), **changed)
    power("worker2", "kill")
    try:
        code, output = run.end()
    finally:
        power("worker2", "start")
    assert code != 0
    assert re.search(r"^\[ERROR\]: .*", output, re.MULTILINE), output
    assert re.search(r"^worker2 +: .*(unreachable|failed)=[1-9]", output, re.MULTILINE), output
    wait_until(lambda: cluster["worker2"].service(UNIT).is_running)
    between = state()
    assert between["worker1"][0] != before["worker1"][0]
    assert between["worker3"] == before["worker3"]
    assert between["worker4"] == before["worker4"]
    again = update(**changed)
    assert again.errors == []
    after = state()
    assert releases(after) == {between["worker1"][0]}
    assert after["worker1"] == between["worker1"]
    as_told(again)
    # What it ran when it died runs again elsewhere; it may have been done and not yet acknowledged.
    all_done(sending, again=PROCESSES, lost=lost_with_a_host)


@pytest.mark.full
def test_a_broker_that_restarts_in_the_middle_harms_nothing(
    cluster: dict[str, Host],
    broker_unit: str,
    begin: Callable[..., Any],
    changing: Callable[[str], Callable[[], bool]],
    update: Callable[..., Any],
    state: Callable[[], State],
    as_told: Callable[[Any], None],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    before = state()
    changed = {"celery_worker_watchdog": 240}
    sending = load("uneven")
    run = begin("rolling_update", until=changing("worker2"), **changed)
    cluster["broker1"].check_output(f"systemctl restart {broker_unit}")
    code, output = run.end()
    # It survives, or says why it stopped.
    assert code == 0 or re.search(r"^\[ERROR\]: .*\bworker2\b", output, re.MULTILINE), output
    between = state()
    second = update(**changed)
    assert second.errors == []
    after = state()
    assert after["worker1"] == between["worker1"]
    assert {name for name in after if after[name] == before[name]} == set()
    as_told(second)
    # A task that ran when the connection broke can't be acknowledged, and runs again.
    all_done(sending, again=ALL_PROCESSES)


@pytest.mark.full
def test_a_release_that_takes_no_task_goes_back(
    broken: Callable[[str], str],
    update: Callable[..., Any],
    state: Callable[[], State],
    gone_back: Callable[[Any], str],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    before = state()
    sending = load()
    run = update(celery_app_source=broken(IDLE_WORKERS), celery_worker_gate_retries=3)
    assert "work1@worker1: consumes from no queue: it is paused" in gone_back(run)
    after = state()
    assert releases(after) == releases(before)
    assert after["worker2"] == before["worker2"]
    all_done(sending)


@pytest.mark.full
def test_a_release_that_crashes_after_a_while_goes_back(
    broken: Callable[[str], str],
    update: Callable[..., Any],
    state: Callable[[], State],
    gone_back: Callable[[Any], str],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    before = state()
    sending = load()
    run = update(celery_app_source=broken(DYING_WORKERS), celery_worker_settle=25)
    assert f"{UNIT} crashed within 25 seconds: read the journal of worker1" in gone_back(run)
    after = state()
    assert releases(after) == releases(before)
    assert after["worker2"] == before["worker2"]
    all_done(sending, again=PROCESSES)


@pytest.mark.full
def test_a_release_that_does_not_end_is_left_without_loss(
    broken: Callable[[str], str],
    update: Callable[..., Any],
    state: Callable[[], State],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    before = state()
    sending = load()
    assert update("--limit=worker1", celery_app_source=broken(UNENDING_WORKERS)).errors == []
    assert state()["worker1"][0] != before["worker1"][0]
    assert update(celery_app_packages=["zipp"], celery_worker_serial=[1, "100%"]).errors == []
    after = state()
    assert len(releases(after)) == 1
    assert after["worker1"][0] != before["worker1"][0]
    all_done(sending)
