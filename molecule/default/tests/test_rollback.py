"""A rollback takes along what the application runs beside its workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

OPERATE = Path(__file__).resolve().parents[2] / "rolling_update/operate.yml"
INSTANCES = [("worker1", "work1"), ("worker2", "checks1"), ("dashboard1", "beat")]
INSTANCES += [("dashboard1", "flower"), ("dashboard1", "api")]


def releases(cluster: dict[str, Host]) -> set[str]:
    return {
        cluster[host].file(f"/opt/celeryops/monitoring/instances/{instance}").linked_to
        for host, instance in INSTANCES
    }


@pytest.mark.full
def test_beat_flower_and_programs_go_back_too(
    cluster: dict[str, Host], site: Callable[..., Any], play: Callable[..., Any]
) -> None:
    before = releases(cluster)
    control = cluster["broker1"].file("/opt/celeryops/monitoring/current").linked_to
    assert site(celery_app_packages=["colorama"]).errors == []
    assert releases(cluster).isdisjoint(before)
    run = play(OPERATE, operation="rollback", celery_app_source="/nowhere/monitoring_app")
    assert run.errors == []
    assert releases(cluster) == before
    assert cluster["broker1"].file("/opt/celeryops/monitoring/current").linked_to == control
