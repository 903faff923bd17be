"""The brokers, and a worker on each transport; made once for all tests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Security
from ansible_collections.celeryops.cluster.tests.integration.transports.brokers import (
    Brokers,
    Transport,
    running,
    workers,
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("brokers")


@pytest.fixture(scope="session")
def brokers(folder: Path) -> Iterator[Brokers]:
    with running(folder) as container:
        yield container


@pytest.fixture(scope="session")
def transports(brokers: Brokers) -> dict[str, Transport]:
    """The ways to the brokers, by name."""
    made = [
        Transport("prefixed", brokers.redis(1), {"global_keyprefix": "shop:"}, exchange="shop"),
        Transport("signed", brokers.redis(2), security=security(brokers, "worker")),
        Transport("tls", _rediss(brokers, 6380), use_ssl=_redis_tls(brokers)),
        Transport("mutual", _rediss(brokers, 6381), use_ssl=_redis_tls(brokers, client=True)),
        Transport("sentinel", sentinels(brokers), sentinel_options(brokers)),
        Transport("amqp", brokers.amqp(), exchange="shop"),
        Transport("amqps", _amqps(brokers), use_ssl=_amqp_tls(brokers)),
    ]
    return {transport.name: transport for transport in made}


@pytest.fixture(scope="session")
def processes(
    transports: dict[str, Transport], folder: Path
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The workers, one on each transport."""
    with workers(list(transports.values()), folder) as running_workers:
        yield running_workers


@pytest.fixture
def served(
    transports: dict[str, Transport], processes: dict[str, subprocess.Popen[bytes]]
) -> dict[str, Transport]:
    """The ways to the brokers that have a worker at their end."""
    return {name: transports[name] for name in processes}


def security(brokers: Brokers, name: str, store: str = "store") -> Security:
    """The files of a signer."""
    return Security(
        key=str(brokers.tls / f"{name}.key"),
        certificate=str(next(brokers.tls.glob(f"*/{name}.crt"))),
        store=str(brokers.tls / store / "*.crt"),
    )


def sentinels(brokers: Brokers) -> str:
    """The URL of all three."""
    ports = (26379, 26380, 26381)
    return ";".join(f"sentinel://{brokers.login}@{brokers.address}:{port}/0" for port in ports)


def sentinel_options(brokers: Brokers) -> dict[str, object]:
    """The options that go with it."""
    return {"master_name": "shop", "sentinel_kwargs": {"password": brokers.password}}


def _rediss(brokers: Brokers, port: int) -> str:
    return f"rediss://{brokers.login}@{brokers.address}:{port}/0"


def _redis_tls(brokers: Brokers, *, client: bool = False) -> dict[str, object]:
    certificate = {"ssl_certfile": "client.crt", "ssl_keyfile": "client.key"} if client else {}
    return {
        "ssl_cert_reqs": "required",
        **{
            name: str(brokers.tls / file)
            for name, file in {"ssl_ca_certs": "ca.crt", **certificate}.items()
        },
    }


def _amqps(brokers: Brokers) -> str:
    return f"amqps://{brokers.login}@{brokers.address}:5671/shop"


def _amqp_tls(brokers: Brokers) -> dict[str, object]:
    # 2 is ssl.CERT_REQUIRED, as a file of settings can hold it.
    files = {"ca_certs": "ca.crt", "certfile": "client.crt", "keyfile": "client.key"}
    return {"cert_reqs": 2, **{name: str(brokers.tls / file) for name, file in files.items()}}
