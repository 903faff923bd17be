"""What a run tells of itself: its text, its page, and what it leaves behind."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

OPERATE = Path(__file__).resolve().parents[1] / "operate.yml"
RECORDING = "/run/celeryops-monitoring.jsonl"

State = dict[str, tuple[str, str]]


def test_a_restart_is_reported_with_what_the_cluster_did_meanwhile(
    cluster: dict[str, Host],
    operate: Callable[..., Any],
    state: Callable[[], State],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
    report: Callable[[Any], Any],
) -> None:
    sending = load()
    run = operate("restart", "--limit=worker1")
    assert run.errors == []
    assert "Batch 1: worker1: restart, drained in" in run.output
    rates = re.findall(r"Throughput: ([0-9.]+) tasks/s steady", run.output)
    assert [float(rate) > 0 for rate in rates] == [True]
    page = report(run)
    (release,) = {Path(release).name for release, _started in state().values()}
    for text in ("worker1", "passed", "done", release):
        assert text in page.texts
    assert ("path", "curve rate") in page.elements
    assert ("rect", "band paused") in page.elements
    assert not cluster["worker1"].file(RECORDING).exists
    assert cluster["worker1"].check_output("ls --almost-all ~/.ansible_async") == ""
    assert cluster["worker1"].run("pgrep --full [c]elery_recording").rc == 1
    all_done(sending)


@pytest.mark.full
def test_a_drain_that_fails_says_what_the_host_still_runs(
    operate: Callable[..., Any],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
    report: Callable[[Any], Any],
) -> None:
    sending = load("long")
    run = operate("restart", "--limit=worker2", celery_worker_drain_timeout=14)
    assert "worker2 was left as it was" in " ".join(run.errors)
    assert re.search(
        r"work1@worker2: \d tasks? left, \d+ s for them: \S+\.work since \d+ s", run.output
    )
    page = report(run)
    assert "not drained: it goes on as before" in page.texts
    assert any("After 14 seconds" in text for text in page.texts)
    all_done(sending)


@pytest.mark.full
def test_a_page_that_can_not_be_written_is_no_failure(inventory: Path) -> None:
    variables = {"operation": "restart", "celery_worker_report_dir": "/proc/nowhere"}
    command = ["ansible-playbook", str(OPERATE), f"--inventory={inventory}"]
    given = f"--extra-vars={json.dumps(variables)}"
    run = subprocess.run([*command, given], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "No page could be written (celery_worker_report_dir)" in run.stdout
    assert "/proc/nowhere" in run.stdout
    assert "worker4: restart, drained in" in run.stdout


@pytest.mark.full
def test_without_a_directory_there_is_the_text_alone(operate: Callable[..., Any]) -> None:
    run = operate("restart", "--limit=worker3", celery_worker_report_dir="")
    assert run.errors == []
    assert "Batch 1: worker3: restart, drained in" in run.output
    assert "Report: " not in run.output
