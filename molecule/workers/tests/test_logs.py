"""Services log to files, of which rotation loses no line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from testinfra.host import Host

LOGS = "/var/log/celeryops/monitoring"
ROTATION = "/etc/logrotate.d/celeryops-monitoring"
QUEUES = ("default", "green", "thread", "single")
# Of each task two lines are written, in most kinds of pools by two processes or threads.
ENDS = ("] received", " succeeded in ")
SEND = """
import json
from monitoring_app.tasks.operations import risky_operation
sent = [risky_operation.apply_async((0, "logs"), queue=queue).id
        for _ in range({tasks}) for queue in {queues}]
print(json.dumps(sent))
"""

each_host = pytest.mark.parametrize("name", ["worker1", "worker2"])


def logged(host: Host, files: str) -> list[dict[str, Any]]:
    text = host.check_output(f"zcat --force {LOGS}/{files}")
    return [json.loads(line) for line in text.splitlines()]


def told(lines: Iterable[dict[str, Any]], end: str) -> Counter[str]:
    """How often it was told of each task."""
    return Counter(line["id"] for line in lines if "id" in line and end in line["message"])


def services(host: Host) -> str:
    """Which processes the services are, and how often they were restarted."""
    return host.check_output(
        "systemctl show --property=Id,MainPID,NRestarts 'celery-monitoring-*.service'"
    )


@each_host
def test_a_file_holds_lines_of_json(cluster: dict[str, Host], name: str) -> None:
    # Celery's banner would be none.
    found = logged(cluster[name], "work1.log*")
    assert {line["node"] for line in found} == {f"work1@{name}"}
    assert all(line["release"] for line in found)


def test_beat_has_a_file_as_well(cluster: dict[str, Host]) -> None:
    found = logged(cluster["worker1"], "beat.log*")
    assert {line["node"] for line in found} == {"celerybeat@worker1"}


@each_host
def test_rotation_comes_each_day(cluster: dict[str, Host], name: str) -> None:
    timer = cluster[name].service("logrotate.timer")
    assert (timer.is_running, timer.is_enabled) == (True, True)
    # It would say what it doesn't like of the file or of the directory.
    assert "error:" not in cluster[name].check_output(f"logrotate --debug {ROTATION} 2>&1")


def test_rotation_under_load_loses_no_line(
    cluster: dict[str, Host],
    application: Callable[[str], Any],
    wait_until: Callable[..., None],
) -> None:
    before = {name: services(host) for name, host in cluster.items()}
    sent: list[str] = []
    for _ in range(5):
        sent += application(SEND.format(tasks=100, queues=QUEUES))
        for host in cluster.values():
            host.check_output(f"logrotate --force {ROTATION}")

    def written() -> list[dict[str, Any]]:
        return [line for host in cluster.values() for line in logged(host, "*[0-9].log*")]

    wait_until(lambda: set(told(written(), ENDS[1])) >= set(sent), 120)
    lines = written()
    for end in ENDS:
        found = told(lines, end)
        assert {task: found[task] for task in sent} == dict.fromkeys(sent, 1)
    moved = cluster["worker1"].check_output(f"ls {LOGS}/work1.log.*").splitlines()
    # The one that was moved last may still be written to.
    assert [file.endswith(".gz") for file in sorted(moved)][:2] == [False, True]
    assert {name: services(host) for name, host in cluster.items()} == before


@pytest.mark.parametrize(
    ("obstacle", "sentence"),
    [
        ("touch {path}", "is no directory"),
        ("mkdir {path} && mount -t tmpfs -o ro none {path}", "is mounted read-only"),
    ],
    ids=["a file", "read-only"],
)
def test_a_directory_that_cannot_be_written_is_refused(
    cluster: dict[str, Host], site: Callable[..., Any], obstacle: str, sentence: str
) -> None:
    path = "/var/log/celeryops/other"
    cluster["worker2"].check_output(obstacle.format(path=path))
    run = site(celery_app_name="other")
    cluster["worker2"].check_output(f"umount --quiet {path}; rm --dir {path}")
    assert len(run.errors) == 1, run.output
    assert f"celery_app_log is files, but {path} of worker2 {sentence}: mend that," in run.errors[0]
    assert set(run.changed.values()) == {0}


@pytest.mark.full
@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"celery_app_runtime": False}, "set celery_app_runtime to true, or the format to text."),
        ({"celery_app_log_days": 0}, "celery_app_log_days is 0: set 1 or more."),
    ],
)
def test_what_does_not_fit_together_is_refused(
    site: Callable[..., Any], variables: dict[str, Any], sentence: str
) -> None:
    run = site(**variables)
    assert len(run.errors) == 1, run.output
    assert sentence in run.errors[0]
    assert set(run.changed.values()) == {0}


@pytest.mark.full
def test_from_files_to_the_journal_and_back(
    cluster: dict[str, Host], site: Callable[..., Any], recovery: Callable[[], None]
) -> None:
    host = cluster["worker1"]
    run = site(celery_app_log="journal")
    assert not run.errors, run.output
    assert not host.check_output("find /etc/logrotate.d -name 'celeryops-*'")
    unit = "_SYSTEMD_UNIT=celery-monitoring-work@1.service"
    lines = host.check_output(f"journalctl --no-pager --quiet --output=cat {unit}").splitlines()
    assert json.loads(lines[-1])["node"] == "work1@worker1"
    run = site()
    assert not run.errors, run.output
    recovery()
