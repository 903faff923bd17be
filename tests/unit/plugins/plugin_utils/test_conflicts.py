from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._conflicts import conflicts

POOLS: list[Any] = [
    {"name": "work", "queues": ["default", "mail"], "concurrency": 2, "time_limit": "60"},
    {"name": "late"},
]


def test_what_fits_together() -> None:
    settings = {
        "task_time_limit": 60,
        "task_annotations": {"a": {"time_limit": 60}, "b": {"rate_limit": "1/s"}, "c": None},
        "task_routes": {"a.*": "mail", "b.*": {"queue": "default"}, "c": {"priority": 1}},
    }
    assert conflicts(POOLS, settings, 60, []) == []
    assert conflicts(POOLS, settings, "60", []) == []
    assert conflicts(POOLS, {"task_routes": ["router"], "task_annotations": []}, 60, []) == []


def test_a_task_may_not_outlast_the_stop() -> None:
    settings = {"task_time_limit": 61.5, "task_annotations": {"slow": {"time_limit": 90}}}
    pool, task, annotation = conflicts([*POOLS, *POOLS], settings, 59, [])
    assert pool == (
        "celery_worker_pools: pool 'work': time_limit 60 is longer than celery_worker_stop_timeout "
        "59: a worker that stops would kill such a task; raise the stop timeout above it."
    )
    assert task.startswith("celery_settings: task_time_limit 61.5 is longer than")
    assert annotation.startswith("celery_settings: task_annotations of 'slow': time_limit 90 is")


@pytest.mark.parametrize("route", ["mial", {"queue": "mial"}])
def test_a_route_leads_to_a_pool(route: Any) -> None:
    [problem] = conflicts(POOLS, {"task_routes": {"shop.*": route}}, 60, [])
    assert problem == (
        "celery_settings: task_routes sends 'shop.*' to queue 'mial', which no pool consumes "
        "(did you mean 'mail'?): add it to a pool of celery_worker_pools, or to "
        "celery_app_foreign_queues if others do."
    )


def test_a_route_may_lead_to_others() -> None:
    assert conflicts(POOLS, {"task_routes": {"shop.*": "theirs"}}, 60, ["theirs"]) == []
