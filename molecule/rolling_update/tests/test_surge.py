"""New workers start beside the old ones, which end in their own time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from testinfra.host import Host

WORKERS = ["worker1", "worker2", "worker3", "worker4"]
STARTED = "/etc/celeryops/monitoring/instances"
LINKS = "/opt/celeryops/monitoring/instances"
# Old workers have time for tasks that are held up, and nobody else gets these tasks meanwhile.
NEW = {
    "celery_app_packages": ["toolz"],
    "celery_worker_stop_timeout": 900,
    "celery_settings": {"broker_transport_options": {"visibility_timeout": 1800}},
}
# As many tasks as the cluster has processes.
TASKS = """
import json
from monitoring_app.tasks.operations import work
print(json.dumps([work.delay(20, f"{name}-{{number}}").id for number in range(8)]))
"""
# It consumes from one of its two queues only.
LACKING = [
    {
        "name": "work",
        "queues": ["default", "checks"],
        "concurrency": 2,
        "extra_args": ["--exclude-queues=checks"],
    }
]

State = dict[str, tuple[str, str]]


@pytest.fixture(scope="session")
def surge(operate: Callable[..., Any]) -> Callable[..., Any]:
    """Runs an update by surge: surge("--limit=worker1", celery_worker_watchdog=60)."""
    return partial(operate, "rolling_update", celery_worker_strategy="surge")


@pytest.fixture
def frozen(
    request: pytest.FixtureRequest,
    cluster: dict[str, Host],
    numbers: Callable[[str], list[int]],
    application: Callable[[str], Any],
    done: Callable[[str], dict[str, int]],
    module: Callable[..., dict[str, Any]],
    wait_until: Callable[..., None],
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The instance of worker1, whose tasks take as long as it isn't released.

    Once it is, all tasks of the cluster must have been done once.
    """
    name, host = request.node.name, cluster["worker1"]
    (number,) = numbers("worker1")
    unit, node = f"celery-monitoring-work@{number}.service", f"work{number}@worker1"
    application(TASKS.format(name=name))

    def busy() -> bool:
        health = module("celery_health", on="worker1", nodes=[node])
        return bool(health["nodes"][node]["active"] == 2)

    wait_until(busy)
    main = host.check_output(f"systemctl show --property=MainPID --value {unit}")
    host.check_output(f"pkill --signal STOP --parent {main}")

    def release() -> None:
        host.check_output(f"pkill --signal CONT --parent {main}")
        wait_until(lambda: state_of(host, f"work{number}") == "inactive")

    yield f"work{number}", release
    host.run(f"pkill --signal CONT --parent {main}")
    wait_until(lambda: len(done(name)) == 8)
    assert set(done(name).values()) == {1}


def state_of(host: Host, instance: str) -> str:
    unit = instance.replace("work", "celery-monitoring-work@") + ".service"
    return str(host.check_output(f"systemctl show --property=ActiveState --value {unit}"))


def test_a_surge_under_load_loses_and_doubles_no_task(
    surge: Callable[..., Any],
    operate: Callable[..., Any],
    numbers: Callable[[str], list[int]],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
) -> None:
    before = {name: numbers(name) for name in WORKERS}
    sending = load()
    run = surge(celery_worker_serial=[1, "100%"], **NEW)
    assert run.errors == []
    assert "4 of 4 hosts keep working" in run.output
    for name, old in before.items():
        assert len(numbers(name)) == 1
        assert numbers(name) != old
    all_done(sending)
    assert operate("health").errors == []


@pytest.mark.full
def test_a_later_run_of_site_restarts_nothing(
    operate: Callable[..., Any],
    cluster: dict[str, Host],
    numbers: Callable[[str], list[int]],
    state: Callable[[], State],
) -> None:
    before = state()
    assert operate("site", **NEW).errors == []
    assert state() == before
    for name in WORKERS:
        assert cluster[name].file(LINKS).listdir() == [f"work{n}" for n in numbers(name)]


@pytest.mark.full
def test_old_workers_end_in_their_own_time(
    surge: Callable[..., Any],
    operate: Callable[..., Any],
    cluster: dict[str, Host],
    numbers: Callable[[str], list[int]],
    frozen: tuple[str, Callable[[], None]],
) -> None:
    old, release = frozen
    host = cluster["worker1"]
    run = surge("--limit=worker1", celery_worker_watchdog=120, **NEW)
    assert run.errors == []
    assert f"{old}@worker1 (release " in run.output
    assert state_of(host, old) == "deactivating"
    assert old not in host.check_output(f"ls {STARTED}")
    health = operate("health")
    assert health.errors == []
    assert ") is still ending, since " in health.output
    release()


@pytest.mark.full
def test_a_surge_while_older_workers_end_takes_further_numbers(
    surge: Callable[..., Any],
    operate: Callable[..., Any],
    cluster: dict[str, Host],
    numbers: Callable[[str], list[int]],
    frozen: tuple[str, Callable[[], None]],
) -> None:
    old, release = frozen
    host, waits = cluster["worker1"], {"celery_worker_surge_wait": True}
    assert surge("--limit=worker1", celery_worker_watchdog=130, **NEW).errors == []
    first = numbers("worker1")
    assert surge("--limit=worker1", celery_worker_watchdog=140, **waits, **NEW).errors == []
    second = numbers("worker1")
    assert len({old, *(f"work{number}" for number in first + second)}) == 3
    assert state_of(host, old) == "deactivating"
    assert set(host.file(LINKS).listdir()) == {old, f"work{second[0]}"}
    assert operate("site", "--limit=worker1", celery_worker_watchdog=140, **NEW).errors == []
    assert numbers("worker1") == second
    assert state_of(host, old) == "deactivating"
    release()
    assert operate("site", "--limit=worker1", celery_worker_watchdog=140, **NEW).errors == []
    assert host.file(LINKS).listdir() == [f"work{second[0]}"]


@pytest.mark.full
def test_a_surge_that_fails_has_never_stopped_the_old_workers(
    surge: Callable[..., Any],
    cluster: dict[str, Host],
    state: Callable[[], State],
    module: Callable[..., dict[str, Any]],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
) -> None:
    before, links = state(), cluster["worker1"].file(LINKS).listdir()
    sending = load()
    run = surge(celery_worker_pools=LACKING, celery_worker_gate_retries=2, **NEW)
    error = " ".join(run.errors)
    assert "worker1 runs again what it ran before" in error
    assert "doesn't consume from 'checks'" in error
    assert state() == before
    assert cluster["worker1"].file(LINKS).listdir() == links
    assert module("celery_health", on="worker1", canary=True)["healthy"]
    all_done(sending)


@pytest.mark.full
@pytest.mark.parametrize(
    ("moment", "strategy", "watchdog"),
    [("starting", "drain", 150), ("starting", "surge", 160), ("stopping", "drain", 170)],
)
def test_a_surge_that_was_killed_is_finished_by_another_run(
    moment: str,
    strategy: str,
    watchdog: int,
    begin: Callable[..., Any],
    operate: Callable[..., Any],
    cluster: dict[str, Host],
    numbers: Callable[[str], list[int]],
    state: Callable[[], State],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
    wait_until: Callable[..., None],
) -> None:
    host, before = cluster["worker1"], state()
    (old,) = (f"work{number}" for number in numbers("worker1"))
    sending = load()
    change = {"celery_worker_watchdog": watchdog, **NEW}
    reached = {
        "starting": lambda: len(numbers("worker1")) == 2,
        "stopping": lambda: state_of(host, old) != "active",
    }
    surging = {"celery_worker_strategy": "surge", **change}
    begin("rolling_update", "--limit=worker1", until=reached[moment], **surging).kill()
    run = operate("rolling_update", "--limit=worker1", celery_worker_strategy=strategy, **change)
    assert run.errors == []
    after = state()
    assert after["worker1"] != before["worker1"]
    assert after["worker2"] == before["worker2"]
    wait_until(lambda: state_of(host, old) == "inactive")
    assert operate("site", "--limit=worker1", **change).errors == []
    assert state() == after
    assert host.file(LINKS).listdir() == [f"work{number}" for number in numbers("worker1")]
    all_done(sending)
