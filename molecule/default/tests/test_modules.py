"""The modules, run by Ansible on the hosts of a cluster that works, or partly doesn't."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

Module = Callable[..., dict[str, Any]]
Processes = Callable[[str, str], int]

WORK_FILE = "/etc/celeryops/monitoring/pools/work.env"
TIMEOUT = 5  # seconds


def is_one_sentence(text: str) -> bool:
    return text.endswith(".") and ". " not in text and "\n" not in text


def pools(work: int) -> list[dict[str, Any]]:
    """The demo's pools, with another size for `work`."""
    return [
        {"name": "work", "queues": ["default"], "concurrency": work},
        {"name": "checks", "queues": ["checks"], "concurrency": 2},
    ]


@pytest.fixture
def own_sizes(module: Module) -> Iterator[None]:
    """Gives worker1's pools back the sizes that the inventory declares."""
    yield
    assert not module("celery_pool", on="worker1", size=2, timeout=60)["failed"]


@pytest.fixture
def silent_node(cluster: dict[str, Host], recovery: Callable[[], None]) -> Iterator[str]:
    """A node whose service is stopped meanwhile."""
    cluster["worker1"].check_output("systemctl stop celery-monitoring-checks@1.service")
    yield "checks1@worker1"
    cluster["worker1"].check_output("systemctl start celery-monitoring-checks@1.service")
    recovery()


@pytest.mark.usefixtures("own_sizes")
def test_a_pool_gets_its_size_and_keeps_it(
    cluster: dict[str, Host], module: Module, processes: Processes, recovery: Callable[[], None]
) -> None:
    grown = module("celery_pool", on="worker1", pool="work", size=3)
    assert grown["changed"]
    assert grown["nodes"] == {"work1@worker1": {"before": 2, "after": 3}}
    assert processes("worker1", "work") == 3
    assert not module("celery_pool", on="worker1", pool="work", size=3)["changed"]

    cluster["worker1"].check_output("systemctl restart celery-monitoring-work@1.service")
    recovery()
    assert processes("worker1", "work") == 3

    shrunk = module("celery_pool", on="worker1", pool="work", size=1, timeout=60)
    assert shrunk["nodes"] == {"work1@worker1": {"before": 3, "after": 1}}
    assert processes("worker1", "work") == 1


def test_check_mode_says_what_would_change_and_changes_nothing(
    cluster: dict[str, Host], module: Module, processes: Processes
) -> None:
    foreseen = module("celery_pool", "--check", on="worker1", pool="work", size=3)
    assert foreseen["changed"]
    assert foreseen["nodes"] == {"work1@worker1": {"before": 2, "after": 3}}
    assert processes("worker1", "work") == 2
    assert not cluster["worker1"].file(WORK_FILE).exists


@pytest.mark.usefixtures("own_sizes")
def test_a_live_size_holds_until_the_inventory_has_another(
    cluster: dict[str, Host], module: Module, site: Callable[..., Any], processes: Processes
) -> None:
    module("celery_pool", on="worker1", pool="work", size=3)
    again = site("--limit=worker1")
    assert (again.errors, again.changed) == ([], {"worker1": 0})
    assert processes("worker1", "work") == 3

    assert site("--limit=worker1", celery_worker_pools=pools(work=4)).errors == []
    assert processes("worker1", "work") == 4
    assert not cluster["worker1"].file(WORK_FILE).exists

    assert site("--limit=worker1").errors == []
    assert processes("worker1", "work") == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pool": "work", "size": 0}, "must be from 1 to 1000, not 0"),
        ({"pool": "work", "autoscale_min": 1, "autoscale_max": 4, "persist": False}, "--autoscale"),
        ({"pool": "wrok", "size": 3}, "'wrok'"),
        ({"nodes": ["work9@worker1"], "size": 3}, "work9@worker1"),
        ({"app": "shop", "size": 3}, "'shop'"),
    ],
)
def test_a_wrong_option_is_told_in_a_sentence_and_changes_nothing(
    module: Module, processes: Processes, options: dict[str, Any], words: str
) -> None:
    result = module("celery_pool", on="worker1", **options)
    assert result["failed"]
    assert not result["changed"]
    assert words in result["msg"]
    assert is_one_sentence(result["msg"])
    assert processes("worker1", "work") == 2


def test_a_size_and_a_range_exclude_each_other(module: Module) -> None:
    options = {"size": 3, "autoscale_min": 1, "autoscale_max": 4}
    result = module("celery_pool", on="worker1", pool="work", **options)
    assert "mutually exclusive: size|autoscale_min" in result["msg"]


@pytest.mark.usefixtures("own_sizes")
def test_a_silent_node_is_named_and_the_others_get_their_size(
    module: Module, processes: Processes, silent_node: str
) -> None:
    result = module("celery_pool", on="worker1", size=3)
    assert result["failed"]
    assert result["changed"]
    assert result["missing"] == [silent_node]
    assert silent_node in result["msg"]
    assert is_one_sentence(result["msg"])
    assert processes("worker1", "work") == 3


def test_a_silent_node_makes_the_cluster_unhealthy(module: Module, silent_node: str) -> None:
    health = module("celery_health", on="broker1")
    assert not health["failed"]
    assert not health["healthy"]
    assert [reason for reason in health["reasons"] if silent_node in reason]


def test_a_cluster_that_works_is_healthy(module: Module) -> None:
    health = module("celery_health", on="broker1")
    assert (health["healthy"], health["reasons"]) == (True, [])
    assert sorted(health["nodes"]) == [
        "checks1@worker1",
        "checks1@worker2",
        "work1@worker1",
        "work1@worker2",
    ]


def test_a_host_of_workers_means_its_own_nodes(module: Module) -> None:
    answers = module("celery_info", on="worker2", gather=["ping"])
    assert sorted(answers["nodes"]) == ["checks1@worker2", "work1@worker2"]


def test_no_answer_of_a_node_holds_a_secret(
    module: Module, leaks: Callable[[str], list[str]]
) -> None:
    answers = module("celery_info", on="broker1", gather=["conf", "stats", "report"])
    assert answers["errors"] == {}
    assert leaks(json.dumps(answers)) == []


def test_a_broker_that_is_gone_is_told_in_a_sentence_and_in_time(
    module: Module, no_broker: None
) -> None:
    health = module("celery_health", on="worker1", timeout=TIMEOUT)
    assert not health["failed"]
    assert not health["healthy"]
    assert is_one_sentence(health["reasons"][0])
    for name, options in {"celery_info": {}, "celery_pool": {"size": 3}}.items():
        result = module(name, on="worker1", timeout=TIMEOUT, **options)
        assert result["failed"]
        assert not result["changed"]
        assert "broker1:6379" in result["msg"]
        assert is_one_sentence(result["msg"])
        assert result["elapsed"] < TIMEOUT + 1


def test_defaults_can_be_set_for_all_modules(play: Callable[..., Any], tmp_path: Path) -> None:
    playbook = tmp_path / "defaults.yml"
    playbook.write_text(
        """
- hosts: celery_broker
  become: true
  gather_facts: false
  module_defaults:
    group/celeryops.cluster.celery:
      app: monitoring
      nodes: work1@worker1
  tasks:
    - celeryops.cluster.celery_info:
      register: answers
      failed_when: answers.nodes | list != ['work1@worker1']
""",
        encoding="utf-8",
    )
    assert play(playbook).errors == []
