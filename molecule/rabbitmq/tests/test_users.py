"""Each user of the broker can do what it is for, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

VHOST = "monitoring-prod"
USERS = ["worker", "producer", "control", "monitor"]

# What each user is refused with, or "done"; the broker closes the channel at the first refusal.
TRY = """
import json, os, amqp
connection = amqp.Connection(
    "broker1:5672", userid={user!r}, password={password!r}, virtual_host={vhost!r},
    confirm_publish=True,
)
connection.connect()
channel = connection.channel()
try:
    {attempt}
    print(json.dumps("done"))
except amqp.exceptions.AccessRefused as error:
    print(json.dumps("refused"))
except amqp.exceptions.NotFound as error:
    print(json.dumps("not found"))
"""
PIDBOX = "work1@worker1.celery.pidbox"
ORDER = 'amqp.Message(\'{"method": "rate_limit"}\', content_type="application/json")'
TO_A_WORKER = f"channel.basic_publish({ORDER}, exchange='', routing_key='{PIDBOX}')"
TO_ALL_WORKERS = f"channel.basic_publish({ORDER}, exchange='celery.pidbox', routing_key='')"
A_TASK = "channel.basic_publish(amqp.Message('{}'), exchange='checks', routing_key='nobody')"


@pytest.fixture(scope="session")
def passwords(inventory: Path) -> dict[str, str]:
    """The passwords that were made, by user."""
    files = {user: f"broker_{user}_password" for user in USERS if user != "worker"}
    own = inventory / ".celeryops"
    return {user: (own / file).read_text(encoding="utf-8").strip() for user, file in files.items()}


@pytest.fixture(scope="session")
def attempt(
    application: Callable[[str], Any], passwords: dict[str, str], secrets: dict[str, str]
) -> Callable[..., Any]:
    """What comes of an attempt of a user."""
    known = {**passwords, "worker": secrets["broker password"]}

    def run(user: str, attempt: str, vhost: str = VHOST) -> Any:
        return application(
            TRY.format(user=f"{VHOST}.{user}", password=known[user], vhost=vhost, attempt=attempt)
        )

    return run


@pytest.mark.parametrize(
    "action",
    [
        TO_A_WORKER,
        TO_ALL_WORKERS,
        "channel.queue_bind('default', 'celery.pidbox')",
        f"channel.queue_purge('{PIDBOX}')",
        "channel.queue_declare('its_own', durable=True, auto_delete=False)",
        "channel.exchange_declare('celery.pidbox', 'fanout', durable=False, auto_delete=False)",
        "channel.basic_get('celeryops.dead')",
    ],
)
def test_a_producer_is_refused(attempt: Callable[..., Any], action: str) -> None:
    assert attempt("producer", action) == "refused"


def test_a_producer_sends_tasks(attempt: Callable[..., Any]) -> None:
    assert attempt("producer", A_TASK) == "done"


@pytest.mark.parametrize(
    "action",
    [
        A_TASK,
        TO_ALL_WORKERS,
        "channel.basic_get('checks')",
        "channel.queue_declare('its_own', durable=True, auto_delete=False)",
    ],
)
def test_a_monitor_is_refused(attempt: Callable[..., Any], action: str) -> None:
    assert attempt("monitor", action) == "refused"


def test_a_control_client_is_refused_the_nameless_exchange(attempt: Callable[..., Any]) -> None:
    assert attempt("control", TO_A_WORKER) == "refused"


def test_a_monitor_reads_the_counts_of_queues(
    application: Callable[[str], Any], passwords: dict[str, str]
) -> None:
    url = f"http://broker1:15672/api/queues/{VHOST}/checks"
    found = application(f"""
import base64, json, urllib.request
request = urllib.request.Request({url!r})
login = base64.b64encode(b"{VHOST}.monitor:{passwords["monitor"]}").decode()
request.add_header("Authorization", "Basic " + login)
print(json.dumps(json.load(urllib.request.urlopen(request))["type"]))
""")
    assert found == "quorum"


def test_nobody_has_the_user_that_everybody_knows(cluster: dict[str, Host]) -> None:
    listed = json.loads(
        cluster["broker1"].check_output("rabbitmqctl --quiet --formatter json list_users")
    )
    assert sorted(user["user"] for user in listed) == sorted(f"{VHOST}.{user}" for user in USERS)


@pytest.mark.parametrize("vhost", ["/"])
def test_no_user_gets_into_another_virtual_host(
    application: Callable[[str], Any], passwords: dict[str, str], vhost: str
) -> None:
    answer = application(f"""
import json, amqp
connection = amqp.Connection(
    "broker1:5672", userid="{VHOST}.control", password={passwords["control"]!r},
    virtual_host={vhost!r},
)
try:
    connection.connect()
except (amqp.exceptions.NotAllowed, amqp.exceptions.AccessRefused) as error:
    print(json.dumps(type(error).__name__))
""")
    assert answer in ("NotAllowed", "AccessRefused")
