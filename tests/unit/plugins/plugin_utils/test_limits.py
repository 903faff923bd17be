from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._limits import (
    celery_options,
    limit_problems,
    memory_problem,
    unit_settings,
)

ALL: dict[str, Any] = {
    "soft_time_limit": 50,
    "time_limit": "60",
    "max_tasks_per_child": 100,
    "max_memory_per_child": "200M",
    "nice": -5,
    "cpu_quota": "150%",
    "memory_max": "2G",
}


def test_limits_that_hold() -> None:
    assert list(limit_problems(ALL)) == []
    assert list(limit_problems({})) == []
    assert list(limit_problems({"kind": "gevent", "time_limit": 60, "nice": 19})) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"time_limit": 0}, "has time_limit 0: use a whole number of 1 or more."),
        ({"time_limit": 1.5}, "has time_limit 1.5: use a whole number of 1 or more."),
        ({"max_tasks_per_child": True}, "has max_tasks_per_child True: use a whole number"),
        ({"max_memory_per_child": 200}, "has max_memory_per_child 200: use a size such as 500M"),
        ({"memory_max": "2 GB"}, "has memory_max 2 GB: use a size such as 500M or 2G."),
        ({"nice": 20}, "has nice 20: use a whole number from -20 to 19."),
        ({"nice": -21}, "has nice -21"),
        ({"cpu_quota": 1.5}, "has cpu_quota 1.5: use a share of one processor"),
        ({"soft_time_limit": 60}, "the soft one must come earlier."),
        ({"kind": "threads"}, "has time_limit, which kind 'threads' does not keep: use prefork or"),
        ({"kind": "gevent"}, "has soft_time_limit, which kind 'gevent' does not keep: use prefork"),
        ({"kind": "solo"}, "has max_memory_per_child, which kind 'solo' does not keep"),
    ],
)
def test_a_limit_that_would_not_hold_is_refused(change: dict[str, Any], problem: str) -> None:
    assert problem in " ".join(limit_problems(ALL | change))


def test_limits_of_celery() -> None:
    assert celery_options(ALL) == [
        "--soft-time-limit=50",
        "--time-limit=60",
        "--max-tasks-per-child=100",
        "--max-memory-per-child=204800",
    ]


def test_limits_of_systemd() -> None:
    assert unit_settings(ALL) == {"Nice": "-5", "CPUQuota": "150%", "MemoryMax": "2G"}
    assert unit_settings({"nice": 0}) == {"Nice": "0"}


SERVICES: list[dict[str, Any]] = [
    {"instance": "cpu2", "limits": {"MemoryMax": "2G"}},
    {"instance": "io3", "limits": {"MemoryMax": "512M", "Nice": "5"}},
    {"instance": "web2", "limits": {}},
]


def test_memory_that_is_not_enough_for_both() -> None:
    meminfo = "MemTotal:  4000000 kB\nMemAvailable:    2097152 kB\n"
    assert memory_problem(SERVICES, "w1", meminfo) == (
        "w1 has 2048M of memory available, and the instances that surge starts beside the old ones "
        "may take 2560M (cpu2 2G, io3 512M): free memory, lower memory_max in celery_worker_pools, "
        "or set celery_worker_strategy to drain."
    )


@pytest.mark.parametrize("available", ["2621440", "9000000"])
def test_memory_that_is_enough_for_both(available: str) -> None:
    assert memory_problem(SERVICES, "w1", f"MemAvailable: {available} kB\n") == ""


def test_memory_without_limits_is_not_counted() -> None:
    assert memory_problem(SERVICES[2:], "w1", "MemAvailable: 1 kB\n") == ""
