"""Workers change under load: no task is lost or done twice, and what fails goes back."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

UPDATE = Path(__file__).parents[1] / "rolling_update.yml"
WORKERS = ["worker1", "worker2", "worker3", "worker4"]
UNIT = "celery-monitoring-work@1.service"
RELEASE = "/opt/celeryops/monitoring/instances/work1"
# More than a worker holds when it is told to pause, and not all of it at once.
LOAD = """
import json, time
from monitoring_app import ledger
from monitoring_app.tasks.operations import work
ledger.client().delete(ledger.LEDGER)
lengths = [0.01, 0.2, 0.01, 1, 0.01, 3, 0.01, 0.5]
end, number = time.monotonic() + {seconds}, 0
while time.monotonic() < end:
    options = {{"countdown": 5}} if number % 20 == 0 else {{}}
    work.apply_async((lengths[number % len(lengths)], f"work-{{number}}"), **options)
    number += 1
    time.sleep(0.1)
print(json.dumps(number))
"""
SEND_LONG = """
import json
from monitoring_app.tasks.operations import work
print(json.dumps([work.delay({seconds}, f"long-{{n}}").id for n in range({count})]))
"""
SUMMARY = """
import json
from monitoring_app import ledger
print(json.dumps(ledger.summary()))
"""

State = dict[str, tuple[str, str]]


@pytest.fixture(scope="session")
def update(play: Callable[..., Any]) -> Callable[..., Any]:
    """Runs the rolling update: update(celery_app_packages=["six"])."""
    return partial(play, UPDATE)


@pytest.fixture
def state(cluster: dict[str, Host]) -> Callable[[], State]:
    """By host, the release that its worker runs, and when it was started."""

    def read() -> State:
        started = f"systemctl show --property=ExecMainStartTimestamp --value {UNIT}"
        return {
            name: (cluster[name].file(RELEASE).linked_to, cluster[name].check_output(started))
            for name in WORKERS
        }

    return read


@pytest.fixture
def load(application: Callable[[str], Any]) -> Iterator[Callable[[float], Future[int]]]:
    """Sends tasks for some seconds in the background; in the end, how many."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda seconds: pool.submit(application, LOAD.format(seconds=seconds))


@pytest.fixture
def all_done(
    application: Callable[[str], Any], wait_until: Callable[..., None]
) -> Callable[[int], None]:
    """Waits for as many tasks as were sent; each must have been done once."""

    def check(sent: int) -> None:
        wait_until(lambda: application(SUMMARY)["distinct"] >= sent, 120)
        assert application(SUMMARY) == {"done": sent, "distinct": sent, "duplicates": {}}

    return check


def releases(state: State) -> set[str]:
    return {release for release, _started in state.values()}


def test_an_update_under_load_loses_and_doubles_no_task(
    update: Callable[..., Any],
    state: Callable[[], State],
    load: Callable[[float], Future[int]],
    all_done: Callable[[int], None],
) -> None:
    before = state()
    sending = load(150)
    run = update(celery_app_packages=["six"])
    assert run.errors == []
    after = state()
    assert len(releases(after)) == 1
    assert releases(after).isdisjoint(releases(before))
    all_done(sending.result())


def test_a_second_run_restarts_nothing(
    update: Callable[..., Any], state: Callable[[], State]
) -> None:
    before = state()
    run = update(celery_app_packages=["six"])
    assert run.errors == []
    assert state() == before


@pytest.mark.parametrize(
    "broken",
    [
        # It never answers.
        {"celery_settings": {"worker_enable_remote_control": False}},
        # It answers, and consumes nothing.
        {
            "celery_worker_pools": [
                {
                    "name": "work",
                    "queues": ["default", "checks"],
                    "concurrency": 2,
                    "extra_args": ["--exclude-queues=default"],
                }
            ]
        },
    ],
    ids=["deaf", "consumes too little"],
)
def test_a_batch_that_fails_goes_back_and_stops_the_roll(
    broken: dict[str, Any],
    update: Callable[..., Any],
    state: Callable[[], State],
    module: Callable[..., dict[str, Any]],
    load: Callable[[float], Future[int]],
    all_done: Callable[[int], None],
) -> None:
    before = state()
    sending = load(60)
    run = update(celery_app_packages=["six"], celery_worker_gate_retries=3, **broken)
    after = state()
    assert releases(after) == releases(before)
    assert {name: after[name] for name in WORKERS[1:]} == {
        name: before[name] for name in WORKERS[1:]
    }
    assert "worker1 runs again what it ran before" in run.errors[-2] + run.errors[-1]
    assert module("celery_health", on="broker1")["healthy"]
    all_done(sending.result())


def test_a_host_that_can_not_be_drained_in_time_goes_on(
    update: Callable[..., Any],
    state: Callable[[], State],
    application: Callable[[str], Any],
    module: Callable[..., dict[str, Any]],
) -> None:
    before = state()
    application(SEND_LONG.format(seconds=60, count=8))
    run = update(celery_worker_drain_timeout=5)
    assert "worker1 was left as it was, since it could not be drained" in " ".join(run.errors)
    assert state() == before
    assert module("celery_health", on="broker1")["healthy"]


def test_a_run_that_was_killed_is_finished_by_the_next(
    inventory: Path,
    update: Callable[..., Any],
    state: Callable[[], State],
    load: Callable[[float], Future[int]],
    all_done: Callable[[int], None],
    wait_until: Callable[..., None],
) -> None:
    before = state()
    sending = load(120)
    command = ["ansible-playbook", str(UPDATE), f"--inventory={inventory}"]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: state() != before, 300)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    run = update()
    assert run.errors == []
    assert len(releases(state())) == 1
    assert releases(state()).isdisjoint(releases(before))
    all_done(sending.result())
