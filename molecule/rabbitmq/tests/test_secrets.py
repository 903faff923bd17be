"""Secrets: in files for whom they serve, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

BROKERS = ["broker1", "broker2", "broker3"]
HOSTS = [*BROKERS, "worker1", "dashboard1"]
OWN = ["broker_control_password", "broker_monitor_password", "broker_producer_password"]
CONFIGURATION = "/etc/celeryops/monitoring"

each_host = pytest.mark.parametrize("host", HOSTS)


@pytest.fixture(scope="session")
def found(inventory: Path, leaks: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Which secrets a text holds, the brokers' own among them."""
    own = inventory / ".celeryops"
    files = [*OWN, "broker_cookie_secret", "backend_password"]
    more = {name: (own / name).read_text(encoding="utf-8").strip() for name in files}
    return lambda text: leaks(text) + [name for name, secret in more.items() if secret in text]


@pytest.mark.parametrize(
    ("host", "path", "owner", "group", "mode"),
    [
        ("broker1", "/var/lib/rabbitmq/.erlang.cookie", "rabbitmq", "rabbitmq", 0o400),
        ("broker1", "/etc/rabbitmq/conf.d/50-celeryops.conf", "root", "rabbitmq", 0o640),
        ("broker1", f"{CONFIGURATION}/control.json", "root", "celery", 0o640),
        ("dashboard1", "/etc/redis/celeryops.conf", "redis", "redis", 0o640),
        ("dashboard1", f"{CONFIGURATION}/control.env", "root", "root", 0o600),
        ("worker1", f"{CONFIGURATION}/worker.env", "root", "celery", 0o640),
    ],
)
def test_file_can_be_read_only_by_whom_it_serves(
    cluster: dict[str, Host], host: str, path: str, owner: str, group: str, mode: int
) -> None:
    file = cluster[host].file(path)
    assert (file.user, file.group, oct(file.mode)) == (owner, group, oct(mode))


@pytest.mark.parametrize("broker", BROKERS)
def test_no_definitions_stay_behind(cluster: dict[str, Host], broker: str) -> None:
    assert not cluster[broker].file("/var/lib/rabbitmq/celeryops-definitions.json").exists


@each_host
def test_no_secret_is_in_a_unit_on_a_command_line_or_in_the_journal(
    cluster: dict[str, Host], found: Callable[[str], list[str]], host: str
) -> None:
    for command in (
        "find /etc/systemd/system -type f -exec cat '{}' +",
        "ps -e -ww -o args",
        "journalctl --boot --output=cat",
    ):
        assert found(cluster[host].check_output(command)) == []


@pytest.mark.parametrize("broker", BROKERS)
def test_no_secret_is_in_the_brokers_log(
    cluster: dict[str, Host], found: Callable[[str], list[str]], broker: str
) -> None:
    assert found(cluster[broker].check_output("cat /var/log/rabbitmq/*.log")) == []


def test_a_new_password_is_in_no_line_of_a_dry_run_with_differences(
    site: Callable[..., Any], found: Callable[[str], list[str]]
) -> None:
    new = "An0ther-secret"
    run = site("--check", "--diff", "-vvv", "--limit=celery_broker", celery_broker_password=new)
    assert run.errors == []
    assert run.changed["broker1"] > 0
    # Once: as the command line of this very run, which Ansible repeats.
    assert run.output.count(new) <= 1
    assert found(run.output) == []
