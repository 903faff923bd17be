"""A pool of kind eventlet, which none of the test hosts has, is resized live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._resize import set_pools
from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import (
    Brokers,
    Transport,
    workers,
)


@pytest.fixture(params=["redis", "amqp"])
def greenlets(
    request: pytest.FixtureRequest, brokers: Brokers, folder: Path
) -> Iterator[Transport]:
    """A worker of kind eventlet."""
    url = brokers.amqp() if request.param == "amqp" else brokers.redis(10)
    transport = Transport(f"eventlet_{request.param}", url, kind="eventlet")
    with workers([transport], folder):
        yield transport


def resized(transport: Transport, size: int) -> dict[str, Any]:
    with Client(transport.broker, 60.0) as client:
        return set_pools(client, [transport.node], size)


def test_it_grows_and_shrinks(greenlets: Transport) -> None:
    assert resized(greenlets, 20)["changed"]
    assert not resized(greenlets, 20)["changed"]
    assert resized(greenlets, 3)["nodes"] == {greenlets.node: {"before": 20, "after": 3}}
