"""Pools get another size and hosts come and go while the cluster works on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

PLACES = [
    "/etc/celeryops/monitoring",
    "/opt/celeryops/monitoring",
    "/var/lib/celeryops/monitoring",
    "/var/log/celeryops/monitoring",
]
UNIT = "celery-monitoring-work@1.service"
REMOVED = "worker4"


@pytest.fixture
def with_worker4(
    site: Callable[..., Any], recovery: Callable[[], None]
) -> Iterator[Callable[[], Any]]:
    """Brings the host that was removed in again, in the end at the latest."""

    def enter() -> Any:
        return site(f"--limit={REMOVED}")

    yield enter
    enter()
    recovery()


def expected_hosts(host: Host) -> set[str]:
    """The worker hosts that the control file of a host lists."""
    control = json.loads(host.file("/etc/celeryops/monitoring/control.json").content_string)
    return {node["host"] for node in control["nodes"].values()}


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({}, "Nothing is asked for"),
        ({"celery_worker_sizes": {"wrok": 3, "work": 0}}, "did you mean 'work'?"),
        ({"celery_worker_sizes": {"wrok": 3, "work": 0}}, "'work' can't have size 0"),
        ({"celery_worker_remove": "worker9"}, "no host of celery_worker is named 'worker9'"),
        ({"celery_worker_remove": "worker1,worker2,worker3,worker4"}, "leave one of them"),
        ({"celery_worker_remove_dead": "worker4"}, "worker4 works: drain it"),
    ],
)
@pytest.mark.full
def test_what_can_not_be_done_is_refused(
    operate: Callable[..., Any], wish: dict[str, Any], says: str
) -> None:
    run = operate("scale", **wish)
    assert says in " ".join(run.errors)
    assert set(run.changed.values()) <= {0}


@pytest.fixture
def unreachable(tmp_path: Path) -> str:
    """The option by which worker4 can't be reached."""
    nowhere = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    inventory = tmp_path / "unreachable.json"
    inventory.write_text(json.dumps({"all": {"hosts": {REMOVED: nowhere}}}))
    return f"--inventory={inventory}"


@pytest.mark.full
@pytest.mark.parametrize("playbook", ["scale", "rolling_update"])
def test_a_host_that_can_not_be_reached_stops_the_run_before_any_change(
    operate: Callable[..., Any], unreachable: str, playbook: str
) -> None:
    run = operate(playbook, unreachable, celery_worker_remove=REMOVED)
    # Ansible's own comes before.
    error = run.errors[-1]
    assert error.startswith(f"{REMOVED} can't be reached (")
    assert "--limit 'all:!worker4'" in error
    assert "celery_worker_remove_dead" in error
    assert set(run.changed.values()) == {0}


@pytest.mark.full
def test_a_host_that_can_not_be_reached_keeps_no_other_from_coming_in(
    begin: Callable[..., Any], unreachable: str
) -> None:
    code, output = begin("site", unreachable, "--limit=worker1", until=lambda: True).end()
    assert code == 0, output


@pytest.mark.full
def test_all_hosts_have_to_learn_that_one_leaves(operate: Callable[..., Any]) -> None:
    run = operate("scale", "--limit=worker1,worker4", celery_worker_remove=REMOVED)
    assert "leave out --limit" in " ".join(run.errors)


def test_a_pool_has_another_size_from_now_on(
    operate: Callable[..., Any],
    module: Callable[..., dict[str, Any]],
    cluster: dict[str, Host],
    processes: Callable[[str, str], int],
) -> None:
    wish = {"celery_worker_sizes": {"work": 3}}
    planned = operate("scale", "--check", "--limit=worker1", **wish)
    assert planned.changed["worker1"] == 1
    assert "2 -> 3, where the inventory says 2" in planned.output
    assert processes("worker1", "work") == 2
    run = operate("scale", "--limit=worker1", **wish)
    assert run.errors == []
    assert processes("worker1", "work") == 3
    assert processes("worker2", "work") == 2
    cluster["worker1"].check_output(f"systemctl restart {UNIT}")
    assert processes("worker1", "work") == 3
    back = module("celery_pool", on="worker1", pool="work", size=2)
    assert (back["failed"], back["persisted"]["work"]["after"]) == (False, {})


@pytest.mark.full
def test_pools_change_and_change_back_under_load(
    operate: Callable[..., Any],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
    processes: Callable[[str, str], int],
) -> None:
    sending = load()
    for size in (4, 1, 2):
        assert operate("scale", celery_worker_sizes={"work": size}).errors == []
        assert [processes(f"worker{n}", "work") for n in (1, 2, 3, 4)] == [size] * 4
    again = operate("scale", celery_worker_sizes={"work": 2})
    assert (again.errors, set(again.changed.values())) == ([], {0})
    assert "2 already, as the inventory says" in again.output
    all_done(sending)


@pytest.mark.full
def test_a_host_leaves_and_comes_back_under_load(
    operate: Callable[..., Any],
    cluster: dict[str, Host],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
    with_worker4: Callable[[], Any],
) -> None:
    sending = load()
    run = operate("scale", celery_worker_remove=REMOVED, celery_worker_sizes={"work": 3})
    assert run.errors == []
    assert "remove it from celery_worker" in run.output
    assert operate("health").errors == []
    gone = cluster[REMOVED]
    assert [place for place in PLACES if gone.file(place).exists] == []
    assert gone.check_output("find /etc/systemd/system -name 'celery-*'") == ""
    assert not gone.service(UNIT).is_running
    assert expected_hosts(cluster["broker1"]) == {"worker1", "worker2", "worker3"}
    again = operate("scale", celery_worker_remove=REMOVED, celery_worker_sizes={"work": 3})
    assert (again.errors, set(again.changed.values())) == ([], {0})

    assert with_worker4().errors == []
    for name in ("broker1", "worker1", "worker4"):
        assert expected_hosts(cluster[name]) == {"worker1", "worker2", "worker3", "worker4"}
    assert operate("scale", celery_worker_sizes={"work": 2}).errors == []
    assert operate("health").errors == []
    all_done(sending)


@pytest.mark.full
def test_a_dead_host_is_forgotten(
    operate: Callable[..., Any],
    cluster: dict[str, Host],
    with_worker4: Callable[[], Any],
) -> None:
    cluster[REMOVED].check_output(f"systemctl kill --signal=KILL {UNIT} && systemctl stop {UNIT}")
    assert operate("scale", celery_worker_remove_dead=REMOVED).errors == []
    assert expected_hosts(cluster["worker1"]) == {"worker1", "worker2", "worker3"}
    assert operate("health").errors == []
