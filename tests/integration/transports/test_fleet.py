"""The client and simulated fleets of 10, 100 and 1,000 nodes on a real Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session
from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call, Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._recording import look
from ansible_collections.celeryops.cluster.plugins.modules import celery_pool
from ansible_collections.celeryops.cluster.tests.fleet.nodes import Fleet
from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import Brokers

SIZES = [10, 100, 1000]
DATABASES = {10: 3, 100: 4, 1000: 5}


def names(size: int) -> list[str]:
    return [f"cpu{number % 4 + 1}@host{number // 4 + 1}" for number in range(size)]


@pytest.fixture(scope="module", params=SIZES)
def size(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def broker(brokers: Brokers, size: int) -> Iterator[Broker]:
    """A Redis with that many nodes, one name twice."""
    url = brokers.redis(DATABASES[size])
    with Fleet(url, [*names(size), names(size)[3]], listeners=True):
        yield Broker(url, "the test")


def test_all_replies_come(broker: Broker, size: int) -> None:
    with Client(broker, 30.0) as client:
        for command in ("ping", "stats", "active_queues"):
            replies = client.call(command, nodes=names(size))
            assert sorted(replies.answers) == sorted(names(size))
            assert (replies.missing, replies.errors, replies.refused) == ([], {}, 0)
            assert replies.elapsed < 10.0


def test_the_missing_are_found(broker: Broker, size: int) -> None:
    dead = ["cpu1@dead1", "cpu1@dead2", "cpu1@dead3"]
    with Client(broker, 30.0) as client:
        replies = client.call("ping", nodes=[*names(size), *dead], patience=2.0)
    assert replies.missing == dead
    assert sorted(replies.answers) == sorted(names(size))


def test_a_duplicate_is_found(broker: Broker, size: int) -> None:
    with Client(broker, 30.0) as client:
        assert client.call("ping", nodes=names(size)).duplicates == [names(size)[3]]
        assert client.duplicates == [names(size)[3]]


def test_a_look_of_a_recording_sees_all_nodes(broker: Broker, size: int) -> None:
    known = {name: Node(name, "test", "cpu", "prefork", ("cpu",), 1) for name in names(size)}
    assert sorted(look(Cluster(broker, nodes=known), 10.0)["nodes"]) == sorted(names(size))


def test_an_unknown_fleet_is_discovered(broker: Broker, size: int) -> None:
    with Client(broker, 30.0) as client:
        replies = client.call("ping")
    assert sorted(replies.answers) == sorted(names(size))
    assert replies.duplicates == [names(size)[3]]


def test_one_of_many(broker: Broker, size: int) -> None:
    with Client(broker, 30.0) as client:
        assert list(client.call("ping", nodes=[names(size)[5]]).answers) == [names(size)[5]]


def test_several_commands_at_once(broker: Broker, size: int) -> None:
    """The replies to one command don't count for another one."""
    half = names(size)[: size // 2]
    with Client(broker, 30.0) as client:
        ping, queues, grow = client.call_all(
            [Call("ping"), Call("active_queues", nodes=half), Call("pool_grow", {"n": 1}, half)]
        )
        assert len(ping.answers) == size
        assert sorted(queues.answers) == sorted(grow.answers) == sorted(half)
        client.call("pool_shrink", {"n": 1}, half)


def test_late_replies_count_for_nothing(broker: Broker, size: int) -> None:
    with Client(broker, 30.0) as client:
        client.call("stats", nodes=names(size), patience=0.0)
        replies = client.call("ping", nodes=names(size))
    assert all(answer == {"ok": "pong"} for answer in replies.answers.values())
    assert len(replies.answers) == size


def test_the_cost_of_a_change_does_not_grow_with_the_fleet(broker: Broker, size: int) -> None:
    """A pool's size for all nodes: a few broadcasts over one client's connections."""
    observer = redis.Redis.from_url(broker.url)
    started = time.monotonic()
    before = _traffic(observer)
    result = celery_pool.pool(_session(broker, [*names(size)[:3], *names(size)[4:]]))
    broadcasts, connections = (
        after - earlier for after, earlier in zip(_traffic(observer), before, strict=True)
    )
    assert {states["after"] for states in result["nodes"].values()} == {7}
    assert len(result["nodes"]) == size - 1
    assert broadcasts <= 12
    assert connections <= 8
    assert time.monotonic() - started < 20.0


def _session(broker: Broker, nodes: list[str]) -> Session:
    params = {
        **dict.fromkeys(["app", "pool", "autoscale_min", "autoscale_max"]),
        "nodes": nodes,
        "size": 7,
        "restarted": False,
        "persist": False,
        "timeout": 60.0,
    }
    return Session(params, False, Cluster(broker), time.monotonic())


def _traffic(observer: redis.Redis) -> tuple[int, int]:
    """The broadcasts and connections that Redis has seen."""
    published = observer.info("commandstats")["cmdstat_publish"]["calls"]
    return int(published), int(observer.info("stats")["total_connections_received"])
