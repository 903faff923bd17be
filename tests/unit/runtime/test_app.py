"""The app that Celery's commands load, in a worker on a broker in memory."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, signals
from celery.contrib.testing.worker import start_worker

import celeryops_runtime


@pytest.fixture
def import_runtime_app() -> Iterator[Callable[[], Celery]]:
    """Imports `celeryops_runtime.app` anew."""

    def import_app() -> Celery:
        return importlib.import_module("celeryops_runtime.app").app

    sys.modules.pop("celeryops_runtime.app", None)
    yield import_app
    if module := sys.modules.pop("celeryops_runtime.app", None):
        signals.beat_init.disconnect(module.beat_started)
        signals.beat_init.disconnect(module.let_beat_answer)
        signals.celeryd_after_setup.disconnect(module.add_direct_queue)
        signals.worker_ready.disconnect(module.name_event_groups)


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_worker(
    pool: str,
    systemd: Any,
    monkeypatch: pytest.MonkeyPatch,
    write_module: Callable[[str, str], Path],
    write_settings: Callable[[Any], Path],
    import_runtime_app: Callable[[], Celery],
) -> None:
    write_module("shop", "from celery import Celery\napp = Celery('shop', broker='memory://')\n")
    settings = write_settings(
        {"worker_hijack_root_logger": False, "broker_transport_options": {"polling_interval": 0.01}}
    )
    monkeypatch.setenv("CELERYOPS_APP", "shop:app")
    monkeypatch.setenv("CELERYOPS_SETTINGS", str(settings))
    monkeypatch.setenv("CELERYOPS_RELEASE", "1.0.0-1a2b3c4d")
    monkeypatch.setenv("CELERYOPS_CONFIG", "c0ffee")
    app = import_runtime_app()

    # The worker sets the root logger's level: to what it is anyway.
    with start_worker(app, pool=pool, loglevel="WARNING", perform_ping_check=False) as worker:
        assert systemd.message()[0].startswith("STATUS=connecting to the broker; ")
        assert systemd.message()[0] == "READY=1"
        [answer] = app.control.broadcast(
            "celeryops", reply=True, destination=[worker.hostname], timeout=60
        )
        assert answer == {
            worker.hostname: {
                "release": "1.0.0-1a2b3c4d",
                "config": "c0ffee",
                "runtime": celeryops_runtime.__version__,
                "live": {},
                "events": False,
                "applies_time_limits": True,
                "waits": {},
            }
        }
        app.control.shutdown([worker.hostname])
        assert systemd.message()[0] == "STOPPING=1"


def test_a_mistake_ends_the_command_with_a_sentence(
    import_runtime_app: Callable[[], Celery],
) -> None:
    with pytest.raises(SystemExit, match=r"^celeryops_runtime: CELERYOPS_APP is not set: "):
        import_runtime_app()
