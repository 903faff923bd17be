"""What the runtime's tests share: user apps to import, and a service manager to report to."""

from __future__ import annotations

import importlib
import json
import select
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from celery import _state

sys.path.insert(0, str(Path(__file__).parents[3] / "roles/app/files"))


class Systemd:
    """The socket of a service manager, and what comes in there."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(60)  # a limit for broken code, not a wait

    def message(self) -> list[str]:
        return self._socket.recv(4096).decode().split("\n")

    def messages(self) -> list[list[str]]:
        """All that lie there now."""
        found = []
        while select.select([self._socket], [], [], 0)[0]:
            found.append(self.message())
        return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    path = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    manager = Systemd(path)
    yield manager
    manager.close()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the one who runs the tests changes them."""
    for name in ("APP", "SETTINGS", "RELEASE", "CONFIG"):
        monkeypatch.delenv(f"CELERYOPS_{name}", raising=False)
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "NOTIFY_SOCKET", "WATCHDOG_USEC"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def bare_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery keeps the current app and every shared task for the process: forget them."""
    monkeypatch.setattr(_state, "_on_app_finalizers", set())
    monkeypatch.setattr(_state, "default_app", None)
    monkeypatch.setattr(_state._tls, "current_app", None)


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Writes a module that can be imported, by its dotted name."""
    root = tmp_path / "modules"
    root.mkdir()
    monkeypatch.syspath_prepend(root)

    def write(name: str, source: str) -> Path:
        *packages, module = name.split(".")
        directory = root.joinpath(*packages)
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{module}.py"
        path.write_text(dedent(source), encoding="utf-8")
        importlib.invalidate_caches()
        return path

    yield write
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(root)):
            del sys.modules[name]


@pytest.fixture
def write_settings(tmp_path: Path) -> Callable[[Any], Path]:
    def write(settings: Any) -> Path:
        path = tmp_path / "settings.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return path

    return write
