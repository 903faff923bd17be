"""Secrets: in files for whom they serve, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

HOSTS = ["broker1", "worker1", "worker2", "dashboard1"]
CONFIGURATION = "/etc/celeryops/monitoring"

each_host = pytest.mark.parametrize("host", HOSTS)


@pytest.mark.parametrize(
    ("host", "path", "owner", "group", "mode"),
    [
        ("broker1", f"{CONFIGURATION}/control.json", "root", "celery", 0o640),
        ("broker1", "/etc/redis/celeryops.conf", "redis", "redis", 0o640),
        ("worker1", CONFIGURATION, "root", "celery", 0o750),
        ("worker1", f"{CONFIGURATION}/worker.env", "root", "celery", 0o640),
        ("worker1", f"{CONFIGURATION}/control.json", "root", "celery", 0o640),
        ("worker1", f"{CONFIGURATION}/settings.json", "root", "celery", 0o640),
        ("worker1", f"{CONFIGURATION}/instances/work1.env", "root", "celery", 0o640),
        ("dashboard1", f"{CONFIGURATION}/worker.env", "root", "celery", 0o640),
        ("dashboard1", f"{CONFIGURATION}/flower.env", "root", "root", 0o600),
        ("dashboard1", "/etc/nginx/celeryops.pem", "root", "root", 0o600),
    ],
)
def test_file_can_be_read_only_by_whom_it_serves(
    cluster: dict[str, Host], host: str, path: str, owner: str, group: str, mode: int
) -> None:
    file = cluster[host].file(path)
    assert (file.user, file.group, oct(file.mode)) == (owner, group, oct(mode))


@each_host
def test_no_secret_is_in_a_unit(
    cluster: dict[str, Host], leaks: Callable[[str], list[str]], host: str
) -> None:
    units = cluster[host].check_output("find /etc/systemd/system -type f -exec cat '{}' +")
    assert leaks(units) == []


@each_host
def test_no_secret_is_on_a_command_line(
    cluster: dict[str, Host], leaks: Callable[[str], list[str]], host: str
) -> None:
    assert leaks(cluster[host].check_output("ps -e -ww -o args")) == []


@each_host
def test_no_secret_is_in_the_journal(
    cluster: dict[str, Host], leaks: Callable[[str], list[str]], host: str
) -> None:
    journal = cluster[host].check_output("journalctl --boot --output=cat")
    assert "Invoked with" in journal, "the modules of the deployment have left no trace"
    # The tests of the playbook doctor say secrets aloud.
    lines = [line for line in journal.splitlines() if "celeryops says" not in line]
    assert leaks("\n".join(lines)) == []


def test_a_new_password_is_in_no_line_of_a_dry_run_with_differences(
    site: Callable[..., Any], leaks: Callable[[str], list[str]]
) -> None:
    new = "An0ther-secret"
    run = site(
        "--check", "--diff", "-vvv", "--limit=broker1,dashboard1", celery_broker_password=new
    )
    assert run.errors == []
    assert run.changed["broker1"] > 0
    # Once: as the command line of this very run, which Ansible repeats.
    assert run.output.count(new) <= 1
    assert leaks(run.output) == []


@each_host
def test_key_of_the_ca_stays_on_the_controller(
    cluster: dict[str, Host], inventory: Path, host: str
) -> None:
    key = (inventory / ".celeryops/ca/ca.key").read_text(encoding="utf-8").splitlines()[1]
    search = "grep --recursive --files-with-matches --devices=skip 'PRIVATE KEY-----$'"
    found = cluster[host].check_output(f"{search} /etc /home /opt /root /srv /var").splitlines()
    assert "/etc/ssh/ssh_host_ed25519_key" in found
    assert [path for path in found if key in cluster[host].file(path).content_string] == []
