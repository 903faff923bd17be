"""Ansible-rulebook with the event source and the sample rulebook: it scales, and it heals."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from testinfra.host import Host

UNIT = "celery-monitoring-work@1.service"
CONTROL = "/etc/celeryops/monitoring/control.json"
SEND = """
import celeryops_runtime.app
import json
from monitoring_app.tasks.operations import work
for number in range({count}):
    work.delay(1, f"event-{{number}}")
print({count})
"""


@pytest.fixture
def control_file(cluster: dict[str, Host], tmp_path: Path) -> Path:
    """The directory with a worker's control file, by which the controller finds the broker too."""
    text = cluster["worker1"].file(CONTROL).content_string
    name = urlsplit(json.loads(text)["broker_url"]).hostname
    address = cluster["broker1"].check_output("hostname -I").split()[0]
    copy = tmp_path / "monitoring" / "control.json"
    copy.parent.mkdir()
    copy.write_text(text.replace(f"@{name}:", f"@{address}:"), "utf-8")
    return tmp_path


@pytest.fixture
def rulebook(inventory: Path, control_file: Path, tmp_path: Path) -> Iterator[Path]:
    """The sample rulebook, at work; what it prints."""
    variables = tmp_path / "vars.yml"
    asked = {
        "watched_app": "monitoring",
        "watched_configuration": str(control_file),
        "watched_pool": "work",
        "watched_queue": "default",
        "watched_interval": 1,
        "watched_backlog": 40,
        "watched_lost_after": 8,
        "usual_size": 2,
        "busy_size": 4,
    }
    variables.write_text(yaml.safe_dump(asked), "utf-8")
    output = tmp_path / "rulebook.log"
    command = ["ansible-rulebook", "--rulebook=celeryops.cluster.celery", f"--vars={variables}"]
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*command, f"--inventory={inventory}", "--print-events"],
            env={**os.environ, "ANSIBLE_BECOME": "true"},
            stdout=file,
            stderr=file,
        )
    yield output
    process.terminate()
    process.wait(60)


@pytest.mark.full
def test_the_sample_rulebook_scales_and_heals(
    cluster: dict[str, Host],
    application: Callable[[str], Any],
    processes: Callable[[str, str], int],
    rulebook: Path,
    wait_until: Callable[..., None],
) -> None:
    cluster["worker4"].check_output(f"systemctl stop {UNIT}")
    wait_until(lambda: cluster["worker4"].service(UNIT).is_running, 240)

    def sizes() -> set[int]:
        return {processes(name, "work") for name in ("worker1", "worker2", "worker3", "worker4")}

    application(SEND.format(count=800))
    wait_until(lambda: sizes() == {4}, 240)
    wait_until(lambda: sizes() == {2}, 300)
    said = rulebook.read_text("utf-8")
    assert "backlog_high" in said
    assert "backlog_low" in said
