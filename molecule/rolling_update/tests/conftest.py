"""What these tests share: a cluster that works, a load, and the ledger of what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

OPERATE = Path(__file__).resolve().parents[1] / "operate.yml"
WORKERS = ["worker1", "worker2", "worker3"]
UNIT = "celery-monitoring-work@1.service"
RELEASE = "/opt/celeryops/monitoring/instances/work1"

# Seconds of tasks, and between them.
MIXED = ([0.01, 0.2, 0.01, 0.5, 0.01, 0.1, 0.01, 1] * 12 + [12], 0.15)
# Numbered work until it is told to stop, some with a time to come, some retried.
LOAD = """
import json, time
from monitoring_app import ledger
from monitoring_app.tasks.operations import work
redis = ledger.client()
redis.delete(ledger.LEDGER)
redis.set("load", "on", ex=1200)
lengths, pause, number = %s, %s, 0
while redis.exists("load"):
    options = {"countdown": 5} if number %% 20 == 19 else {}
    failures = int(number %% 15 == 14)
    work.apply_async((lengths[number %% len(lengths)], f"work-{number}", failures), **options)
    number += 1
    time.sleep(pause)
print(json.dumps(number))
"""
STOP_LOAD = """
from monitoring_app import ledger
print(ledger.client().delete("load"))
"""
SUMMARY = """
import json
from monitoring_app import ledger
print(json.dumps(ledger.summary()))
"""
State = dict[str, tuple[str, str]]


@pytest.fixture(scope="session")
def operate(play: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a playbook of the collection by its name: operate("drain", "--limit=worker1")."""

    def run(name: str, *options: str, **variables: Any) -> Any:
        return play(OPERATE, *options, operation=name, **variables)

    return run


@pytest.fixture(scope="session")
def state(cluster: dict[str, Host]) -> Callable[[], State]:
    """By host, the release that its worker runs, and when it was started."""

    def read() -> State:
        started = f"systemctl show --property=ExecMainStartTimestampMonotonic --value {UNIT}"
        return {
            name: (cluster[name].file(RELEASE).linked_to, cluster[name].check_output(started))
            for name in WORKERS
        }

    return read


@pytest.fixture
def load(application: Callable[[str], Any]) -> Iterator[Callable[..., Future[int]]]:
    """Begins to send tasks in the background; in the end, how many."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda lengths=MIXED: pool.submit(application, LOAD % lengths)
        application(STOP_LOAD)


@pytest.fixture
def all_done(
    application: Callable[[str], Any], wait_until: Callable[..., None]
) -> Callable[[Future[int]], None]:
    """Ends the load and waits for its tasks; each must have been done once."""

    def check(sending: Future[int]) -> None:
        application(STOP_LOAD)
        sent = sending.result()
        assert sent > 0
        wait_until(lambda: application(SUMMARY)["distinct"] >= sent, 300)
        assert application(SUMMARY) == {"done": sent, "distinct": sent, "duplicates": {}}

    return check
