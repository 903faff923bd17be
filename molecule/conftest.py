"""What the tests share: hosts, playbook and modules of the collection, the application."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import testinfra
import yaml
from testinfra.host import Host
from urllib3 import HTTPSConnectionPool, make_headers

CONVERGE = Path(__file__).parent / "default/converge.yml"
PLAIN_OUTPUT = {**os.environ, "ANSIBLE_FORCE_COLOR": "0"}
PYTHON = "/opt/celeryops/monitoring/current/venv/bin/python"


@pytest.fixture(scope="session")
def inventory(pytestconfig: pytest.Config) -> Path:
    """The directory of the scenario's inventory."""
    return Path(pytestconfig.getoption("ansible_inventory"))


@pytest.fixture(scope="session")
def cluster(inventory: Path) -> dict[str, Host]:
    """The hosts by name; commands run on them as root."""
    hosts = testinfra.get_hosts(["ansible://all"], ansible_inventory=str(inventory), sudo=True)
    return {host.backend.get_hostname(): host for host in hosts}


@pytest.fixture(scope="session")
def secrets(inventory: Path) -> dict[str, str]:
    """What nobody may read, by what it is."""
    own = inventory / ".celeryops"
    play = yaml.safe_load(CONVERGE.read_text(encoding="utf-8"))[0]
    broker_password = play["vars"]["celery_broker_password"]
    return {
        "broker password": broker_password,
        "broker password in a URL": quote(broker_password, safe=""),
        "Flower's password": (own / "flower_password").read_text(encoding="utf-8").strip(),
        "Flower's cookie secret": (own / "flower_cookie_secret")
        .read_text(encoding="utf-8")
        .strip(),
    }


@pytest.fixture(scope="session")
def leaks(secrets: dict[str, str]) -> Callable[[str], list[str]]:
    """Which secrets a text holds."""
    return lambda text: [name for name, secret in secrets.items() if secret in text]


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Waits until a condition holds, and fails after so many seconds."""

    def wait(condition: Callable[[], object], seconds: float = 60) -> None:
        begun = asked = time.monotonic()
        while not condition():
            took = time.monotonic() - asked
            assert time.monotonic() < begun + seconds, f"not true within {seconds} seconds"
            # Asking takes a process on a host, which must not keep the machine from other work.
            time.sleep(max(0.2, 3 * took))
            asked = time.monotonic()

    return wait


@pytest.fixture(scope="session")
def module(inventory: Path) -> Callable[..., dict[str, Any]]:
    """Runs a module of the collection on a host: module("celery_pool", on="worker1", size=3)."""

    def run(name: str, *arguments: str, on: str, **options: Any) -> dict[str, Any]:
        given = json.dumps({"app": "monitoring", **options})
        command = ["ansible", on, f"--inventory={inventory}", "--become", "--one-line", *arguments]
        done = subprocess.run(
            [*command, f"--module-name=celeryops.cluster.{name}", f"--args={given}"],
            env=PLAIN_OUTPUT,
            capture_output=True,
            text=True,
        )
        # worker1 | CHANGED => {"changed": true, ...}
        result: dict[str, Any] = json.loads(done.stdout.split(" => ", 1)[1])
        return {**result, "failed": done.returncode != 0}

    return run


@pytest.fixture(scope="session")
def recovery(
    module: Callable[..., dict[str, Any]], wait_until: Callable[..., None]
) -> Callable[[], None]:
    """Waits until the whole cluster is healthy again."""
    return lambda: wait_until(
        lambda: module("celery_health", on="celery_broker[0]", nodes="all")["healthy"]
    )


@pytest.fixture(scope="session")
def processes(cluster: dict[str, Host]) -> Callable[[str, str], int]:
    """The number of processes of a pool on a host, as the host sees them."""

    def count(host: str, pool: str) -> int:
        main = f"$(systemctl show --property=MainPID --value celery-monitoring-{pool}@1.service)"
        return int(cluster[host].check_output(f"pgrep --count --parent {main}"))

    return count


@pytest.fixture(
    params=["systemctl stop", "systemctl kill --signal=STOP"], ids=["stopped", "frozen"]
)
def no_broker(
    request: pytest.FixtureRequest, cluster: dict[str, Host], recovery: Callable[[], None]
) -> Iterator[None]:
    """The broker refuses connections, or takes them and never answers."""
    cluster["broker1"].check_output(f"{request.param} redis-server.service")
    yield
    cluster["broker1"].check_output("systemctl kill --signal=CONT redis-server.service || true")
    cluster["broker1"].check_output("systemctl start redis-server.service")
    recovery()


@dataclass(frozen=True)
class Run:
    """A run of the playbook: what it printed, the errors in it, and what changed on each host."""

    output: str
    errors: list[str]
    changed: dict[str, int]


@pytest.fixture(scope="session")
def play(inventory: Path) -> Callable[..., Run]:
    """Runs a playbook: play(path, "--check", celery_app_name="shop")."""

    def run(playbook: Path, *options: str, inventory: Path = inventory, **variables: Any) -> Run:
        command = ["ansible-playbook", str(playbook), f"--inventory={inventory}", *options]
        done = subprocess.run(
            [*command, f"--extra-vars={json.dumps(variables)}"],
            env=PLAIN_OUTPUT,
            capture_output=True,
            text=True,
        )
        errors = re.findall(r"^\[ERROR\]: (?:\w+ failed: )*(.+)$", done.stderr, re.MULTILINE)
        assert bool(errors) == (done.returncode != 0), done.stderr
        recap = re.findall(r"^(\w+) +: .*changed=(\d+) ", done.stdout, re.MULTILINE)
        return Run(
            output=done.stdout + done.stderr,
            errors=errors,
            changed={host: int(count) for host, count in recap},
        )

    return run


@pytest.fixture(scope="session")
def site(play: Callable[..., Run]) -> Callable[..., Run]:
    """Runs the site playbook as the scenario does: site("--limit=worker1", celery_user="x")."""
    return partial(play, CONVERGE)


@pytest.fixture(scope="session")
def application(cluster: dict[str, Host]) -> Callable[[str], Any]:
    """Runs Python on a worker host as the services run, and returns what it prints as JSON."""

    def run(code: str) -> Any:
        shell = "systemd-run --pipe --wait --quiet --property=User=celery"
        environment = "--property=EnvironmentFile=/etc/celeryops/monitoring/worker.env"
        command = f"{shell} {environment} {PYTHON} -c %s"
        return json.loads(cluster["worker1"].check_output(command, code))

    return run


@pytest.fixture(scope="session")
def dashboard_address(cluster: dict[str, Host]) -> str:
    """Where the controller reaches the proxy."""
    return cluster["dashboard1"].check_output("hostname -I").split()[0]


@pytest.fixture(scope="session")
def dashboard(inventory: Path, dashboard_address: str) -> HTTPSConnectionPool:
    """The proxy over TLS, known by the certificate of the own CA."""
    return HTTPSConnectionPool(
        dashboard_address,
        server_hostname="dashboard1",
        assert_hostname="dashboard1",
        ca_certs=str(inventory / ".celeryops/ca/ca.crt"),
        headers={"Host": "dashboard1"},
        retries=False,
        timeout=30,
    )


@pytest.fixture(scope="session")
def login(secrets: dict[str, str]) -> dict[str, str]:
    """The header that lets a request in to Flower."""
    return make_headers(basic_auth="admin:" + secrets["Flower's password"])
