"""Workers change under load: no task is lost or done twice, and what fails goes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

UNIT = "celery-monitoring-work@1.service"
KEPT = "/etc/celeryops/monitoring/previous/complete"
# The application starts and answers, and each process dies of the first task that it gets.
DEADLY_TASKS = """

import os
from celery.signals import task_prerun
task_prerun.connect(lambda **_: os._exit(1), weak=False)
"""
# It starts and answers, and its tasks never come to an end.
HANGING_TASKS = """

import time
from celery.signals import task_prerun
task_prerun.connect(lambda **_: time.sleep(3600), weak=False)
"""
BROKEN_IMPORT = """

import monitoring_app.no_such_module
"""

State = dict[str, tuple[str, str]]


def releases(state: State) -> set[str]:
    return {release for release, _started in state.values()}


def test_an_update_under_load_loses_and_doubles_no_task(
    update: Callable[..., Any],
    state: Callable[[], State],
    as_told: Callable[[Any], None],
    load: Callable[..., Any],
    all_done: Callable[..., None],
    report: Callable[[Any], Any],
) -> None:
    before = state()
    sending = load()
    run = update(celery_app_packages=["six"])
    assert run.errors == []
    assert "Batch 4 of 4: worker4 (" in run.output
    after = state()
    assert releases(after).isdisjoint(releases(before))
    (release,) = releases(after)
    as_told(run)
    page = report(run)
    (old,) = releases(before)
    for name in after:
        assert f"work1@{name}" in " ".join(page.texts)
    assert page.texts.count(f"{Path(old).name} → {Path(release).name}") == 4
    assert page.texts.count("passed") == 4
    all_done(sending)


def test_a_second_run_restarts_nothing(
    update: Callable[..., Any], state: Callable[[], State]
) -> None:
    before = state()
    run = update(celery_app_packages=["six"])
    assert run.errors == []
    assert state() == before


@pytest.mark.full
def test_a_batch_that_fails_goes_back_and_stops_the_roll(
    broken: Callable[[str], str],
    update: Callable[..., Any],
    state: Callable[[], State],
    gone_back: Callable[[Any], str],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    before = state()
    sending = load()
    run = update(celery_app_source=broken(HANGING_TASKS), celery_worker_drain_timeout=40)
    after = state()
    error = gone_back(run)
    assert "work1@worker1 ran no canary within 40 seconds" in error
    assert releases(after) == releases(before)
    assert after["worker2"] == before["worker2"]
    assert after["worker3"] == before["worker3"]
    all_done(sending)


@pytest.mark.full
@pytest.mark.parametrize("killed", ["site", "rolling_update"])
def test_a_run_that_was_killed_is_finished_by_an_update(
    begin: Callable[..., Any],
    changing: Callable[[str], Callable[[], bool]],
    update: Callable[..., Any],
    state: Callable[[], State],
    as_told: Callable[[Any], None],
    load: Callable[..., Any],
    all_done: Callable[..., None],
    killed: str,
) -> None:
    before = state()
    # What brings the release of the inventory, and another one.
    changed = {"rolling_update": {"celery_app_packages": ["tomli"]}}.get(killed, {})
    sending = load("uneven")
    begin(killed, until=changing("worker2"), **changed).kill()
    between = state()
    run = update(**changed)
    assert run.errors == []
    after = state()
    assert releases(after).isdisjoint(releases(before))
    assert len(releases(after)) == 1
    assert after["worker1"] == between["worker1"]
    as_told(run)
    all_done(sending)


@pytest.mark.full
def test_a_drain_goes_on_when_the_broker_has_been_silent(
    cluster: dict[str, Host],
    broker_unit: str,
    begin: Callable[..., Any],
    changing: Callable[[str], Callable[[], bool]],
    wait_until: Callable[..., None],
) -> None:
    # As after an interruption: nobody asks for health then, and the drain meets the broker first.
    cluster["worker1"].check_output(f"mkdir {Path(KEPT).parent} && echo '[]' > {KEPT}")
    cluster["broker1"].check_output(f"systemctl kill --signal=STOP {broker_unit}")
    try:
        run = begin("rolling_update", "--limit=worker1", until=changing("worker1"))
        again = "RETRYING: [worker1]: The nodes run out of tasks"
        wait_until(
            lambda: again in run.output.read_text("utf-8") or run.process.poll() is not None, 900
        )
    finally:
        cluster["broker1"].check_output(f"systemctl kill --signal=CONT {broker_unit}")
    code, output = run.end()
    assert code == 0, output


def test_a_dry_run_shows_the_plan_and_changes_nothing(
    update: Callable[..., Any], state: Callable[[], State]
) -> None:
    before = state()
    run = update("--check", celery_app_packages=["idna"])
    assert run.errors == []
    assert "Batch 2 of 4: worker2 (" in run.output
    assert "3 of 4 hosts keep working" in run.output
    assert state() == before


@pytest.mark.full
def test_a_limited_update_changes_what_it_is_limited_to(
    update: Callable[..., Any], state: Callable[[], State]
) -> None:
    before = state()
    run = update("--limit=worker1", celery_app_packages=["idna"])
    assert run.errors == []
    assert "3 of 4 hosts keep working" in run.output
    limited = state()
    assert limited["worker1"][0] != before["worker1"][0]
    assert limited["worker2"] == before["worker2"]
    assert limited["worker3"] == before["worker3"]
    assert update(celery_app_packages=["idna"]).errors == []
    assert state()["worker1"] == limited["worker1"]
    assert releases(state()) == {limited["worker1"][0]}


@pytest.mark.full
def test_a_release_that_can_not_be_imported_is_never_started(
    broken: Callable[[str], str], update: Callable[..., Any], state: Callable[[], State]
) -> None:
    before = state()
    run = update(celery_app_source=broken(BROKEN_IMPORT))
    assert "no_such_module" in " ".join(run.errors)
    assert state() == before


@pytest.mark.full
def test_a_release_that_fails_its_canary_goes_back(
    broken: Callable[[str], str],
    update: Callable[..., Any],
    state: Callable[[], State],
    gone_back: Callable[[Any], str],
    module: Callable[..., dict[str, Any]],
) -> None:
    before = state()
    run = update(celery_app_source=broken(DEADLY_TASKS), celery_worker_gate_retries=3)
    after = state()
    error = gone_back(run)
    assert "work1@worker1: a canary didn't come back" in error
    assert releases(after) == releases(before)
    assert after["worker2"] == before["worker2"]
    assert module("celery_health", on="worker1", nodes="all", canary=True)["healthy"]


@pytest.mark.full
def test_a_host_that_can_not_be_drained_in_time_goes_on(
    update: Callable[..., Any],
    state: Callable[[], State],
    module: Callable[..., dict[str, Any]],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    before = state()
    sending = load("long")
    changed = {"celery_app_packages": ["six"], "celery_worker_watchdog": 120}
    run = update(celery_worker_drain_timeout=2, **changed)
    assert "worker1 was left as it was, since it could not be drained" in " ".join(run.errors)
    assert state() == before
    assert module("celery_health", on="worker1")["healthy"]
    all_done(sending)


def test_a_host_that_can_not_be_written_goes_back(
    cluster: dict[str, Host],
    update: Callable[..., Any],
    state: Callable[[], State],
    report: Callable[[Any], Any],
    gone_back: Callable[[Any], str],
) -> None:
    before = state()
    busy = "/etc/celeryops/monitoring/settings.json"
    queues = ["default", "checks"]
    pools = [{"name": name, "queues": queues, "concurrency": 1} for name in ("work", "added")]
    cluster["worker1"].check_output(f"mount --bind {busy} {busy}")
    try:
        run = update(celery_worker_pools=pools, celery_settings={"task_track_started": False})
    finally:
        cluster["worker1"].check_output(f"umount {busy}")
    error = gone_back(run)
    assert "settings.json" in error
    page = report(run)
    assert "went back to what ran before" in page.texts
    assert any("settings.json" in text for text in page.texts)
    assert page.texts.count("not touched") == 3
    assert not cluster["worker1"].file("/etc/celeryops/monitoring/instances/added1.env").exists
    assert releases(state()) == releases(before)


@pytest.mark.full
def test_a_crash_before_does_not_speak_against_a_change(
    cluster: dict[str, Host],
    update: Callable[..., Any],
    state: Callable[[], State],
    wait_until: Callable[..., None],
) -> None:
    worker = cluster["worker1"]
    assert update("--limit=worker1").errors == []
    worker.check_output(f"systemctl kill --signal=KILL {UNIT}")
    restarts = f"systemctl show --property=NRestarts --value {UNIT}"
    wait_until(lambda: worker.check_output(restarts) == "1")
    wait_until(lambda: worker.service(UNIT).is_running)
    before = state()
    queues = ["default", "checks"]
    added = [{"name": "added", "queues": queues, "concurrency": 1}]
    work = [{"name": "work", "queues": queues, "concurrency": 2}]
    run = update("--limit=worker1", celery_worker_pools=work + added)
    assert run.errors == []
    assert worker.service("celery-monitoring-added@1.service").is_running
    assert update("--limit=worker1").errors == []
    assert not worker.service("celery-monitoring-added@1.service").is_running
    assert state() == before
