"""Mistakes in the inventory: one sentence with the variable and the fix, and nothing changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

Site = Callable[..., Any]

POOL = {"name": "work", "queues": ["default"], "concurrency": 2}

# What is wrong, and what the sentence must say.
FORESEEN = {
    "a kept release": ({"celery_app_release": "1.3.0-ab12"}, "only the playbook rollback"),
    "a misspelt variable": ({"celery_worker_pool": []}, "did you mean 'celery_worker_pools'?"),
    "a pool without a name": (
        {"celery_worker_pools": [{"queues": ["default"], "concurrency": 2}]},
        "celery_worker_pools: entry 1 has no name: add 'name: …'.",
    ),
    "two pools of one name": (
        {"celery_worker_pools": [POOL, POOL]},
        "celery_worker_pools: 2 pools are named 'work': give each its own name.",
    ),
    "a pool without processes": (
        {"celery_worker_pools": [{**POOL, "concurrency": 0}]},
        "celery_worker_pools: pool 'work' has concurrency 0: use a whole number of 1 or more.",
    ),
    "a pool of an unknown kind": (
        {"celery_worker_pools": [{**POOL, "kind": "fork"}]},
        "celery_worker_pools: pool 'work' has the unknown kind 'fork': use prefork or",
    ),
    "a certificate that isn't there": (
        {
            "celery_proxy_tls_certificate": "/etc/ssl/none.crt",
            "celery_proxy_tls_certificate_key": "/etc/hostname",
        },
        "celery_proxy_tls_certificate",
    ),
    "a source that isn't there": (
        {"celery_app_source": "/nowhere/app"},
        "celery_app_source: '/nowhere/app' is no wheel, sdist or project directory",
    ),
    "text in place of a list": (
        {"celery_app_packages": '["six"]'},
        "celery_app_packages is the text '[\"six\"]' and has to be a list",
    ),
    "a short password": ({"celery_broker_password": "short"}, "celery_broker_password is shorter"),
}
# Only the release itself can tell these, when it is installed and before anything runs it.
FOUND_BY_THE_RELEASE = {
    "a module that isn't there": (
        {"celery_app_import": "monitoring_app.nothing:app"},
        "celery_app_import 'monitoring_app.nothing:app'",
    ),
    "a module that raises": (
        {"celery_app_environment": {"MONITORING_TIMEZONE": "Mars/Olympus"}},
        "MONITORING_TIMEZONE: 'Mars/Olympus' is no time zone",
    ),
    "an unknown setting": (
        {"celery_settings": {"task_ack_late": True}},
        "celery_settings holds names that Celery 5.7.0 does not know: 'task_ack_late'",
    ),
    "a setting in capitals": (
        {"celery_settings": {"CELERY_ACKS_LATE": True}},
        "'CELERY_ACKS_LATE' (did you mean 'task_acks_late'?)",
    ),
}


def refused(site: Site, sentence: str, *options: str, **variables: Any) -> None:
    run = site(*options, **variables)
    assert len(run.errors) == 1, run.output
    assert sentence in run.errors[0]
    assert run.errors[0].endswith(".")
    assert set(run.changed.values()) == {0}


@pytest.fixture
def state(cluster: dict[str, Host]) -> Callable[[], list[str]]:
    """What must not change: configuration, links, and the processes of the services."""
    commands = [
        "find /etc/celeryops -type f -exec sha256sum '{}' + | sort",
        "find /opt/celeryops/monitoring -maxdepth 2 -type l -printf '%p %l\\n' | sort",
        "systemctl show --property=MainPID --value "
        "'celery-monitoring-*.service' redis-server nginx",
    ]
    return lambda: [host.check_output(command) for host in cluster.values() for command in commands]


@pytest.mark.parametrize(("variables", "sentence"), FORESEEN.values(), ids=FORESEEN)
def test_a_mistake_that_can_be_foreseen_is_refused(
    site: Site, variables: dict[str, Any], sentence: str
) -> None:
    refused(site, sentence, **variables)


@pytest.mark.parametrize(
    ("variables", "sentence"), FOUND_BY_THE_RELEASE.values(), ids=FOUND_BY_THE_RELEASE
)
def test_an_application_that_cannot_start_touches_nothing_that_runs(
    site: Site, state: Callable[[], list[str]], variables: dict[str, Any], sentence: str
) -> None:
    before = state()
    refused(site, sentence, **variables)
    assert state() == before


def test_an_inventory_without_broker_is_refused(
    site: Site, inventory: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "inventory"
    shutil.copytree(inventory, copy)
    file = copy / "ansible_inventory.yml"
    groups = yaml.safe_load(file.read_text(encoding="utf-8"))
    del groups["celery_broker"]
    file.write_text(yaml.safe_dump(groups), encoding="utf-8")
    sentence = "The inventory group celery_broker holds 0 hosts: put a host into it,"
    refused(site, sentence, inventory=copy)
