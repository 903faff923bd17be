"""A pool that leaves the inventory ends its tasks and is gone; the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

SEND = """
import json
from monitoring_app import ledger
from monitoring_app.tasks.operations import work
ledger.client().delete(ledger.LEDGER)
for number in range({tasks}):
    work.apply_async((1, f"leaving-{{number}}"), queue="thread")
print(json.dumps(None))
"""
SUMMARY = """
import json
from monitoring_app import ledger
from monitoring_app.celery import app
with app.connection_for_read() as connection:
    waiting = connection.default_channel.queue_declare("thread", passive=True).message_count
print(json.dumps({**ledger.summary(), "waiting": waiting}))
"""
PURGE = """
import json
from monitoring_app.celery import app
with app.connection_for_write() as connection:
    print(json.dumps(connection.default_channel.queue_purge("thread")))
"""
# Eight run at once: more than a run of the playbook takes.
TASKS = 5000
GONE = [{"name": "thread", "instances": 0}]


def started(host: Host) -> str:
    """When the services that stay were started."""
    return host.check_output(
        "systemctl show --property=ActiveEnterTimestamp 'celery-monitoring-[wg]*@1.service'"
    )


@pytest.fixture
def whole_again(
    site: Callable[..., Any], application: Callable[[str], Any], recovery: Callable[[], None]
) -> Iterator[None]:
    """Brings back what the test takes away."""
    yield
    application(PURGE)
    assert not site().errors
    recovery()


def test_a_pool_that_leaves_ends_its_tasks(
    cluster: dict[str, Host],
    site: Callable[..., Any],
    application: Callable[[str], Any],
    wait_until: Callable[..., None],
    whole_again: None,
) -> None:
    before = [started(host) for host in cluster.values()]
    application(SEND.format(tasks=TASKS))
    run = site(celery_worker_pools_thread=GONE)
    assert not run.errors, run.output
    assert [started(host) for host in cluster.values()] == before
    for host in cluster.values():
        assert not host.check_output("systemctl list-units --no-legend --all 'celery-*-thread@*'")
        for place in ("/etc/systemd/system", "/etc/celeryops", "/opt/celeryops/*/instances"):
            assert not host.check_output(f"find {place} -name '*thread*'")
    # What had begun has ended, and the others wait for a pool.
    found = application(SUMMARY)
    assert found["done"] > 0
    assert found["waiting"] > 0
    assert found["done"] + found["waiting"] == TASKS
    assert found["duplicates"] == {}
