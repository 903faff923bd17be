"""The client takes the Celery and the redis-py of the application that it enters."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import Transport

CACHE = Path(__file__).parents[3] / ".cache"
PING = """
import json, sys
from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
broker, node = json.loads(sys.stdin.read())
with Client(Broker(**broker), 10.0) as client:
    print(json.dumps(client.call("ping", nodes=[node]).answers))
"""


@pytest.mark.parametrize("celery", ["5.5", "5.6"])
@pytest.mark.parametrize("name", ["prefixed", "amqp"])
def test_a_command_and_its_reply(served: dict[str, Transport], name: str, celery: str) -> None:
    transport = served[name]
    answers = subprocess.run(
        [CACHE / f"celery-{celery}" / "bin" / "python", "-c", PING],
        input=json.dumps([asdict(transport.broker), transport.node]),
        env={"PYTHONPATH": str(CACHE / "collections")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(answers) == {transport.node: {"ok": "pong"}}
