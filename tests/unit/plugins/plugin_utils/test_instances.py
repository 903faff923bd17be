from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._instances import (
    differing,
    started_with,
)

SERVICES: list[dict[str, Any]] = [
    {"instance": name, "command": "celery worker", "environment": {"CELERY_WORKER_CONCURRENCY": 2}}
    for name in ("cpu1", "cpu2")
]
GIVEN = {"release": "1.4.0-ab12cd34", "config": "5f3a", "unit": ["[Service]"]}


def found(services: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The environment files of instances that were started with just this."""
    return [
        {
            "path": f"/etc/celeryops/shop/instances/{service['instance']}.env",
            "checksum": hashlib.sha1(service["file"].encode()).hexdigest(),
        }
        for service in services
    ]


def test_the_file_names_the_release_and_holds_the_instances_own_environment() -> None:
    lines = started_with(SERVICES, **GIVEN)[0]["file"].splitlines()
    assert lines[0].startswith("#")
    assert 'CELERYOPS_RELEASE="1.4.0-ab12cd34"' in lines
    assert 'CELERY_WORKER_CONCURRENCY="2"' in lines


def test_an_instance_that_was_started_with_the_same_does_not_differ() -> None:
    services = started_with(SERVICES, **GIVEN)
    assert differing(services, found(services)) == []


def test_an_instance_that_was_never_started_differs() -> None:
    services = started_with(SERVICES, **GIVEN)
    assert differing(services, found(services[:1])) == services[1:]


@pytest.mark.parametrize(
    "other", [{"release": "1.5.0-ffff0000"}, {"config": "beef"}, {"unit": "[Service]\nUser=x"}]
)
def test_another_release_configuration_or_unit_restarts_all(other: dict[str, str]) -> None:
    before = found(started_with(SERVICES, **GIVEN))
    after = started_with(SERVICES, **{**GIVEN, **other})
    assert differing(after, before) == after


def test_another_command_restarts_its_instance_only() -> None:
    before = found(started_with(SERVICES, **GIVEN))
    changed = [SERVICES[0], {**SERVICES[1], "command": "celery worker -E"}]
    assert [
        service["instance"] for service in differing(started_with(changed, **GIVEN), before)
    ] == ["cpu2"]
