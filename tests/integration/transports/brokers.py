"""The container with the brokers, and workers on them: real servers, real Celery."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Security,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError

HERE = Path(__file__).parent
IMAGE = "celeryops-brokers:debian13"
# A machine that is very busy needs some minutes.
START_SECONDS = 240


def docker(*arguments: str, **options: Any) -> str:
    """The output of a docker command; raises CalledProcessError where it fails."""
    command = ["docker", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, **options)
    return done.stdout.strip()


class Brokers:
    """The running container.

    Attributes:
        address: Where it is reached.
        tls: The folder with its certificates and keys, on this side.
    """

    def __init__(self, name: str, password: str, folder: Path) -> None:
        self.address = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)
        self.password = password
        self.tls = folder / "tls"
        self._name = name
        docker("cp", f"{name}:/srv/tls", str(folder))

    @property
    def login(self) -> str:
        """User and password, as a URL wants them."""
        return f"celery:{quote(self.password, safe='')}"

    def redis(self, database: int = 0) -> str:
        """The URL of the plain Redis."""
        return f"redis://{self.login}@{self.address}:6379/{database}"

    def amqp(self) -> str:
        """The URL of RabbitMQ without TLS."""
        return f"amqp://{self.login}@{self.address}:5672/shop"

    def run(self, *command: str) -> str:
        """The output of a command in the container."""
        return docker("exec", self._name, *command)

    @contextmanager
    def frozen(self, *servers: str) -> Iterator[None]:
        """Servers that take connections and do nothing."""
        self._signal("STOP", servers)
        try:
            yield
        finally:
            self._signal("CONT", servers)

    def _signal(self, signal: str, servers: tuple[str, ...]) -> None:
        for server in servers:
            self.run("sh", "-c", f"kill -{signal} $(cat /run/served/{server})")


@contextmanager
def running(folder: Path) -> Iterator[Brokers]:
    """Start the container and wait for its servers.

    Args:
        folder: Where to put its certificates and keys.
    """
    name = f"celeryops-{os.environ.get('RIG', 'integration')}-brokers"
    password = f"p@ss/word#{secrets.token_hex(8)}"
    docker("build", "--tag", IMAGE, str(HERE))
    docker("rm", "--force", name)
    docker(
        *("run", "--detach", "--name", name, "--env", "PASSWORD", IMAGE),
        env={**os.environ, "PASSWORD": password},
    )
    try:
        limit = time.monotonic() + START_SECONDS
        while docker("exec", name, "find", "/run/served", "-name", "all") == "":
            if time.monotonic() > limit:
                raise TimeoutError(f"the brokers don't start: {docker('logs', name)}")
            time.sleep(0.3)
        yield Brokers(name, password, folder)
    finally:
        docker("rm", "--force", name)


@dataclass(frozen=True)
class Transport:
    """One way to a broker, and the worker there.

    Attributes:
        kind: The worker's pool.
    """

    name: str
    url: str
    options: Mapping[str, Any] = field(default_factory=dict)
    use_ssl: Mapping[str, Any] | None = None
    exchange: str = "celery"
    security: Security | None = None
    kind: str = "solo"

    @property
    def node(self) -> str:
        """The worker's name."""
        return f"{self.name}@test"

    @property
    def broker(self) -> Broker:
        """What the client is told."""
        signed = {"serializer": "auth", "accept": ("auth",)} if self.security else {}
        return Broker(
            self.url,
            "the test",
            self.options,
            self.use_ssl,
            self.exchange,
            security=self.security,
            **signed,
        )

    def settings(self) -> dict[str, Any]:
        """What the worker is told."""
        settings: dict[str, Any] = {
            "broker_url": self.url,
            "broker_transport_options": self.options,
            "broker_use_ssl": self.use_ssl,
            "broker_connection_retry_on_startup": True,
            "control_exchange": self.exchange,
            "task_default_queue": f"{self.name}_tasks",
        }
        if self.security:
            settings |= {
                "task_serializer": "auth",
                "result_serializer": "json",
                "event_serializer": "auth",
                "accept_content": ["auth"],
                "security_key": self.security.key,
                "security_certificate": self.security.certificate,
                "security_cert_store": self.security.store,
                "security_digest": self.security.digest,
            }
        return settings


@contextmanager
def workers(
    transports: list[Transport], folder: Path
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A worker for each transport, ready; their processes by name."""
    processes = {transport.name: _worker(transport, folder) for transport in transports}
    try:
        limit = time.monotonic() + START_SECONDS
        for transport in transports:
            _await(transport, limit, folder)
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def _worker(transport: Transport, folder: Path) -> subprocess.Popen[bytes]:
    settings = folder / f"{transport.name}.json"
    settings.write_text(json.dumps(transport.settings()), encoding="utf-8")
    command = f"-m celery -A app worker --pool {transport.kind} --without-gossip --without-mingle"
    with (folder / f"{transport.name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, *command.split(), "--hostname", transport.node],
            cwd=HERE,
            env={**os.environ, "TRANSPORTS_SETTINGS": str(settings), "C_FORCE_ROOT": "1"},
            stdout=log,
            stderr=log,
        )


def _await(transport: Transport, limit: float, folder: Path) -> None:
    while time.monotonic() < limit:
        with suppress(BrokerError), Client(transport.broker, 5.0) as client:
            if not client.call("ping", nodes=[transport.node], patience=0.5).missing:
                return
    log = (folder / f"{transport.name}.log").read_text(encoding="utf-8")
    raise TimeoutError(f"{transport.node} isn't ready: {log[-2000:]}")
