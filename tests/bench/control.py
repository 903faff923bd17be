"""Measures the control client: `make bench`. Prints medians and ratios of one run.

What is compared takes turns, so that a busy machine slows both down alike. The brokers are those of
the client's integration tests, in a container; the fleets are simulated (see tests/fleet/nodes.py),
the single workers are real. RIG names a host of tests/integration/rig.sh that is up, for modules.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from celery import Celery

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session
from ansible_collections.celeryops.cluster.plugins.module_utils._client import Call, Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.modules import celery_pool
from ansible_collections.celeryops.cluster.tests.fleet.nodes import Fleet
from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import (
    Brokers,
    Transport,
    running,
    workers,
)

ROOT = Path(__file__).parents[2]
FLOWER = ROOT / ".cache" / "bench" / "flower"
LOGIN = "bench:bench"
ASK = """
import sys
from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
url, *names = sys.stdin.read().split()
with Client(Broker(url, "the bench"), 10.0) as client:
    assert not client.call("ping", nodes=names).missing
"""


def in_turns(
    actions: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, tuple[float, list[float]]]:
    """Each action's median and its seconds; a first round that warms up does not count."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _round in range(rounds + 1):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            times[name].append(time.perf_counter() - started)
    return {name: (statistics.median(each[1:]), each[1:]) for name, each in times.items()}


def show(
    title: str, times: Mapping[str, tuple[float, list[float]]], reference: str | None = None
) -> None:
    """A table; the ratio is to the reference's median."""
    count = len(next(iter(times.values()))[1])
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"\n{title}, median of {count} (load {load})\n")
    print("| | seconds | fastest, slowest | ratio |\n|---|---|---|---|")
    for name, (median, each) in times.items():
        ratio = f"{median / times[reference][0]:.3f}" if reference else ""
        print(f"| {name} | {median:.3f} | {min(each):.3f}, {max(each):.3f} | {ratio} |")
    sys.stdout.flush()


def names(count: int) -> list[str]:
    return [f"cpu{number % 4 + 1}@host{number // 4 + 1}" for number in range(count)]


def run(*command: str, **options: Any) -> str:
    """The command's output; raises CalledProcessError where it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


# --- replies ---------------------------------------------------------------


def measure_hundred(brokers: Brokers, rounds: int) -> None:
    url, fleet = brokers.redis(6), names(100)

    def inspect() -> None:
        celery = [sys.executable, "-m", "celery", "inspect", "ping"]
        output = run(*celery, env={**os.environ, "CELERY_BROKER_URL": url})
        assert "100 nodes online" in output, output[-200:]

    def connect_and_call() -> None:
        with Client(Broker(url, "the bench"), 10.0) as client:
            assert not client.call("ping", nodes=fleet).missing

    def process() -> None:
        run(sys.executable, "-c", ASK, input=" ".join([url, *fleet]))

    with Fleet(url, fleet):
        times = in_turns(
            {
                "`celery inspect ping`": inspect,
                "the client, with its connection": connect_and_call,
                "a new Python process with the client": process,
            },
            rounds,
        )
    show("All replies of 100 workers", times, "`celery inspect ping`")


class Bare:
    """A client that does no more than what receiving takes."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url)
        self._topic = f"/{url.rpartition('/')[2]}.celery.pidbox"
        self._queue = "bench.reply.celery.pidbox"
        binding = "\x06\x16".join(["bench", "", self._queue])
        self._redis.sadd("_kombu.binding.reply.celery.pidbox", binding)

    def ask(self, fleet: list[str], *, read: bool) -> None:
        """Send a ping and receive all replies; and read what they say, or not."""
        self._redis.publish(self._topic, _command(fleet))
        answers: dict[str, Any] = {}
        received = 0
        while received < len(fleet):
            pipeline = self._redis.pipeline(transaction=False)
            first, more = pipeline.brpop(self._queue, 5).rpop(self._queue, 1000).execute()
            payloads = [first[1], *(more or ())]
            received += len(payloads)
            if read:
                for payload in payloads:
                    answers |= json.loads(base64.b64decode(json.loads(payload)["body"]))
        assert not read or len(answers) == len(fleet)


def _command(fleet: list[str]) -> str:
    command = {
        "method": "ping",
        "arguments": {},
        "destination": fleet,
        "pattern": None,
        "matcher": None,
        "ticket": "bench",
        "reply_to": {"exchange": "reply.celery.pidbox", "routing_key": "bench"},
    }
    return json.dumps(
        {
            "body": base64.b64encode(json.dumps(command).encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"clock": 1, "expires": time.time() + 10},
            "properties": {
                "delivery_mode": 1,
                "delivery_info": {"exchange": "celery.pidbox", "routing_key": ""},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": "bench",
            },
        }
    )


def measure_thousand(brokers: Brokers, rounds: int) -> None:
    url, fleet = brokers.redis(7), names(1000)
    bare = Bare(url)
    app = Celery(broker=url)
    with Fleet(url, fleet), Client(Broker(url, "the bench"), 3600.0) as client:

        def call(grace: float) -> None:
            call = Call("ping", nodes=fleet)
            assert not client.call_all([call], grace=grace)[0].missing

        times = in_turns(
            {
                "bare Redis client, replies not even read": lambda: bare.ask(fleet, read=False),
                "bare Redis client": lambda: bare.ask(fleet, read=True),
                "the client": lambda: call(0.0),
                "the client, and 0.05 s in wait for duplicates": lambda: call(0.05),
            },
            rounds,
        )
        default = len(app.control.inspect().ping() or {})
        limited = time.perf_counter()
        found = len(app.control.ping(limit=1000, timeout=10.0))
        limited = time.perf_counter() - limited
    show("All replies of 1,000 workers", times, "bare Redis client")
    print(f"\nThe library: {default} of 1,000 by default; {found} in {limited:.2f} s with a limit.")


# --- changing pools --------------------------------------------------------


@contextmanager
def flower(url: str) -> Iterator[int]:
    """Flower on this fleet, in an environment of its own; its port."""
    python = FLOWER / "bin" / "python"
    if not python.exists():
        run(sys.executable, "-m", "venv", str(FLOWER))
        run(str(python), "-m", "pip", "install", "--quiet", "flower>=2.2", "celery[redis]")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"FLOWER_BASIC_AUTH": LOGIN, "CELERY_BROKER_URL": url}
    process = subprocess.Popen(
        [str(python), "-m", "celery", "flower", "--address=127.0.0.1", f"--port={port}"],
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_flower(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _await_flower(port: int) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise TimeoutError("Flower doesn't start")


def grow_by_flower(port: int, fleet: list[str], *, read_back: bool) -> None:
    """Flower's API as it is to be used: it knows what its last refresh has found."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    login = {"Authorization": f"Basic {base64.b64encode(LOGIN.encode()).decode()}"}

    def ask(method: str, path: str) -> None:
        connection.request(method, path, headers=login)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (path, answer.status, text[:200])

    ask("GET", "/api/workers?refresh=1")
    for node in fleet:
        ask("POST", f"/api/worker/pool/grow/{quote(node)}?n=1")
    if read_back:
        ask("GET", "/api/workers?refresh=1")
    connection.close()


def set_by_module(url: str, fleet: list[str], size: int) -> None:
    """What celery_pool does once it runs: read, change, and read again until it is so."""
    params = {
        **dict.fromkeys(["app", "pool", "autoscale_min", "autoscale_max"]),
        "nodes": fleet,
        "size": size,
        "restarted": False,
        "persist": False,
        "timeout": 60.0,
    }
    cluster = Cluster(Broker(url, "the bench"))
    result = celery_pool.pool(Session(params, False, cluster, time.monotonic()))
    assert len(result["nodes"]) == len(fleet), result


def measure_pools(brokers: Brokers, rounds: int) -> None:
    url, fleet = brokers.redis(8), names(100)
    sizes = iter(range(10, 10_000, 10))
    with Fleet(url, fleet, listeners=True), flower(url) as port:
        times = in_turns(
            {
                "loop over Flower's API": lambda: grow_by_flower(port, fleet, read_back=False),
                "the same, and sizes read back": lambda: grow_by_flower(
                    port, fleet, read_back=True
                ),
                "`celery_pool`, which reads back": lambda: set_by_module(url, fleet, next(sizes)),
            },
            rounds,
        )
    show("Changing 100 workers' pools", times, "loop over Flower's API")
    *flowers, own = (median for median, _each in times.values())
    print(f"\n{' and '.join(f'{each / own:.0f}' for each in flowers)} times as fast.")


# --- single calls ----------------------------------------------------------


def measure_directed(brokers: Brokers, rounds: int) -> None:
    transports = [Transport("redis", brokers.redis(9)), Transport("amqp", brokers.amqp())]

    def call(transport: Transport) -> Callable[[], None]:
        def connect_and_call() -> None:
            with Client(transport.broker, 10.0) as client:
                assert not client.call("ping", nodes=[transport.node]).missing

        return connect_and_call

    with tempfile.TemporaryDirectory() as folder, workers(transports, Path(folder)):
        titles = {"redis": "Redis", "amqp": "RabbitMQ"}
        show(
            "A directed call to one worker, from connecting to closing",
            in_turns({titles[each.name]: call(each) for each in transports}, rounds),
        )


def measure_modules(rig: str, rounds: int) -> None:
    inventory = [f"--inventory={ROOT / 'tests/integration/onredis.yml'}"]
    inventory.append(f"--inventory={ROOT / '.cache' / rig / 'rig.yml'}")

    def adhoc(module: str, arguments: str = "") -> Callable[[], object]:
        command = ["ansible", "control1", *inventory, "-m", module, "-a", arguments]
        settings = {**os.environ, "ANSIBLE_PIPELINING": "1"}
        return lambda: run(*command, env=settings)

    times = in_turns(
        {
            "`ansible -m ping`": adhoc("ansible.builtin.ping"),
            "`celery_info`, ping of one node": adhoc(
                "celeryops.cluster.celery_info", "app=onredis gather=ping nodes=cpu1@control1"
            ),
            "`celery_pool`, no change": adhoc(
                "celeryops.cluster.celery_pool", "app=onredis pool=cpu size=2"
            ),
        },
        rounds,
    )
    show("Ad-hoc commands on one host", times, "`ansible -m ping`")
    ping = times["`ansible -m ping`"][0]
    for name, (median, _each) in times.items():
        print(f"\n{name}: {median - ping:+.2f} s", end="")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--only", choices=["hundred", "thousand", "pools", "directed", "modules"], action="append"
    )
    options = parser.parse_args()
    rig = os.environ.get("RIG", "integration")
    parts: dict[str, Callable[[Brokers, int], None]] = {
        "hundred": measure_hundred,
        "thousand": measure_thousand,
        "pools": measure_pools,
        "directed": measure_directed,
        "modules": lambda _brokers, rounds: measure_modules(rig, rounds),
    }
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as brokers:
        for name in options.only or parts:
            parts[name](brokers, options.rounds)


if __name__ == "__main__":
    main()
