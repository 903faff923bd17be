# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.celeryops.cluster.plugins.module_utils import _arguments
from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError

URL = "redis://:hunter2@b:6379/0"


def outcome(
    capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], work: Any = None, **options: Any
) -> dict[str, Any]:
    """Run a module and return what it prints."""
    with patch_module_args(arguments), pytest.raises(SystemExit):
        run(options, work or (lambda _session: {}))
    return dict(json.loads(capsys.readouterr().out))


def test_the_session(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Session] = []

    def work(session: Session) -> dict[str, Any]:
        seen.append(session)
        return {"changed": True, "answer": 42, "diff": {"before": 1, "after": 2}}

    result = outcome(
        capsys,
        {"broker_url": URL, "broker_options": {"master_name": "m"}, "nodes": ["a"], "size": 4,
         "_ansible_check_mode": True},
        work,
        size={"type": "int"},
    )  # fmt: skip
    (session,) = seen
    assert session.check_mode
    assert session.params["size"] == 4
    assert session.cluster.broker.options == {"master_name": "m"}
    assert session.selection(anywhere=False).nodes == ("a",)
    assert 9.0 < session.client().remaining() <= 10.0
    assert (result["changed"], result["answer"]) == (True, 42)
    assert "elapsed" in result
    assert "diff" not in result


def test_a_diff_is_returned_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_session: Session) -> dict[str, Any]:
        return {"diff": {"before": 1, "after": 2}}

    arguments = {"broker_url": URL, "_ansible_diff": True}
    assert outcome(capsys, arguments, work)["diff"] == {"before": 1, "after": 2}


@pytest.mark.parametrize("fails", [False, True])
def test_what_the_client_notes_becomes_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    def work(session: Session) -> dict[str, Any]:
        session.client().notes.append("Nobody answered.")
        if fails:
            raise CeleryOpsError("It failed.")
        return {}

    told: list[str] = []
    monkeypatch.setattr(_arguments.AnsibleModule, "warn", lambda _module, text: told.append(text))
    outcome(capsys, {"broker_url": URL}, work)
    assert told == ["Nobody answered."]


def test_no_password_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def work(session: Session) -> dict[str, Any]:
        raise CeleryOpsError("It failed.", {"changed": True, "seen": repr(session)})

    arguments = {
        "broker_url": URL,
        "broker_options": {"sentinel_kwargs": {"password": "hunter2"}},
    }
    with patch_module_args(arguments), pytest.raises(SystemExit):
        run({}, work)
    shown = capsys.readouterr().out
    assert "hunter2" not in shown
    assert json.loads(shown)["msg"] == "It failed."
    assert json.loads(shown)["changed"] is True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "one of the following is required: app, broker_url"),
        ({"app": "a", "broker_url": URL}, "parameters are mutually exclusive: app|broker_url"),
        ({"app": "a", "broker_options": {}}, "missing parameter(s) required by 'broker_options'"),
        ({"broker_url": URL, "timeout": 0}, "`timeout` must be above 0 seconds, not 0.0."),
        ({"app": "nosuch-app"}, "no app 'nosuch-app' on this host; known: "),
    ],
)
def test_mistakes(
    capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], sentence: str
) -> None:
    result = outcome(capsys, arguments)
    assert result["failed"]
    assert sentence in result["msg"]
    assert "hunter2" not in json.dumps(result)


VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}{sys.abiflags}"


def venv(path: Path, python: str = sys.executable) -> Path:
    (path / "lib" / VERSION / "site-packages").mkdir(parents=True)
    (path / "bin").mkdir()
    (path / "bin" / "python").symlink_to(python)
    return path


@pytest.fixture
def respawned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The interpreters that the module would have been started with again."""
    interpreters: list[str] = []
    monkeypatch.setattr(sys, "path", ["/zip", "/usr/lib/python3", "/usr/dist-packages"])
    monkeypatch.setattr(_arguments, "respawn_module", interpreters.append)
    monkeypatch.setattr(_arguments, "has_respawned", lambda: False)
    return interpreters


def test_an_environment_of_the_same_python_is_used_in_place(
    tmp_path: Path, respawned: list[str]
) -> None:
    release = venv(tmp_path / "releases" / "1")
    (tmp_path / "current").symlink_to(release)
    _arguments._enter(tmp_path / "current", "shop")
    packages = release / "lib" / VERSION / "site-packages"
    assert sys.path == ["/zip", "/usr/lib/python3", str(packages), "/usr/dist-packages"]
    assert respawned == []


def test_packages_of_an_interpreter_without_its_own(
    tmp_path: Path, respawned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["/zip", "/usr/lib/python3"])
    _arguments._enter(venv(tmp_path), "shop")
    assert sys.path[-1].startswith(str(tmp_path))
    assert respawned == []


def test_an_environment_of_another_python_needs_a_second_one(
    tmp_path: Path, respawned: list[str]
) -> None:
    _arguments._enter(venv(tmp_path, "/bin/sh"), "shop")
    assert respawned == [str(tmp_path / "bin" / "python")]


def test_a_broken_environment(
    tmp_path: Path, respawned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CeleryOpsError, match="the environment of app 'shop', is missing or broken"):
        _arguments._enter(tmp_path / "nosuch", "shop")
    monkeypatch.setattr(_arguments, "has_respawned", lambda: True)
    with pytest.raises(CeleryOpsError, match="is missing or broken"):
        _arguments._enter(venv(tmp_path, "/bin/sh"), "shop")
    assert respawned == []


def test_the_app_is_entered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entered: list[Any] = []
    cluster = Cluster(Broker(URL, "x"), app="shop", venv=tmp_path)
    monkeypatch.setattr(_arguments, "read_cluster", lambda _app: cluster)
    monkeypatch.setattr(_arguments, "_enter", lambda *arguments: entered.append(arguments))
    assert "failed" not in outcome(capsys, {"app": "shop"})
    assert entered == [(tmp_path, "shop")]
