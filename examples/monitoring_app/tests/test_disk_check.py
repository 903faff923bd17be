from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring_app.disk_check import DiskCheckError, disk_usage, parse_df
from monitoring_app.settings import Settings
from monitoring_app.tasks.checks import check_all_disks, check_disk_usage

HEADER = "Filesystem     1024-blocks    Used Available Capacity Mounted on\n"


def install(directory: Path, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program of this name first in PATH that writes down its arguments."""
    arguments = directory / "arguments.json"
    program = directory / name
    program.write_text(
        f"#!{sys.executable}\nimport json, pathlib, sys\n"
        f"pathlib.Path({str(arguments)!r}).write_text(json.dumps(sys.argv[1:]))\n{body}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return arguments


def test_parse_df() -> None:
    output = f"{HEADER}/dev/mapper/vg 0-var  1000  900  50  95% /var/my data\n"
    assert parse_df("/var", output) == {
        "target": "/var",
        "filesystem": "/dev/mapper/vg 0-var",
        "mounted_on": "/var/my data",
        "total_bytes": 1024000,
        "used_bytes": 921600,
        "available_bytes": 51200,
        "used_percent": 95,
    }


@pytest.mark.parametrize("output", ["", HEADER, "proc 0 0 0 - /proc", "Welcome!\n"])
def test_parse_df_refuses(output: str) -> None:
    with pytest.raises(DiskCheckError, match=r"^db1:/: df printed no line with sizes$"):
        parse_df("db1:/", output)


def test_this_machine() -> None:
    usage = check_disk_usage("/")
    assert usage["mounted_on"] == "/"
    assert usage["total_bytes"] >= usage["used_bytes"] > 0


def test_a_path_that_does_not_exist() -> None:
    with pytest.raises(DiskCheckError, match=r"^/no/such/path: df failed: .*No such file"):
        disk_usage("/no/such/path", Settings())


def test_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = f"print({HEADER!r} + '/dev/sda1 200 100 100 50% /var')"
    arguments = install(tmp_path, "ssh", body, monkeypatch)
    settings = Settings(ssh_user="probe", ssh_key="/keys/probe", ssh_known_hosts="/keys/known")
    assert disk_usage("db1.example.org:/var", settings)["used_percent"] == 50
    options, command = (given := json.loads(arguments.read_text()))[:-7], given[-7:]
    assert command == ["--", "db1.example.org", "df", "-P", "-k", "--", "/var"]
    assert set(options) == {
        "-T",
        "-oBatchMode=yes",
        "-oStrictHostKeyChecking=yes",
        "-oUserKnownHostsFile=/keys/known",
        "-oIdentitiesOnly=yes",
        "-oIdentityFile=/keys/probe",
        "-oUser=probe",
        "-oConnectTimeout=10",
        "-oClearAllForwardings=yes",
    }


def test_an_unknown_host_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "sys.exit('No ED25519 host key is known for db1.\\nHost key verification failed.')"
    install(tmp_path, "ssh", body, monkeypatch)
    with pytest.raises(DiskCheckError, match=r"^db1:/: ssh failed: Host key verification"):
        disk_usage("db1:/", Settings())


def test_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DiskCheckError, match=r"^db1:/: ssh is not installed on this worker$"):
        disk_usage("db1:/", Settings())


def test_a_host_that_would_be_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = install(tmp_path, "ssh", "", monkeypatch)
    with pytest.raises(ValueError, match="neither an absolute path"):
        disk_usage("-oProxyCommand=reboot:/", Settings())
    assert not arguments.exists()


def test_one_check_is_sent_for_each_target(configure: Callable[..., None]) -> None:
    configure(disk_targets="/, /usr")
    ids = check_all_disks()
    targets = [check_disk_usage.AsyncResult(task_id).get(timeout=5)["target"] for task_id in ids]
    assert targets == ["/", "/usr"]
