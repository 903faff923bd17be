from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from celeryops_runtime._limits import apply_kept_limits, celeryops_limits, time_limit

OWN = {"rate_limit": "10/m", "soft_time_limit": None, "time_limit": 60}
LIVE = {"rate_limit": None, "soft_time_limit": 5.0, "time_limit": 9.0}


def test_new_limits_are_applied() -> None:
    app = Celery("shop", broker="memory://", set_as_current=False)

    @app.task(name="nap", lazy=False)
    def nap() -> None: ...

    nap.start_strategy = lambda *_: (nap.soft_time_limit, nap.time_limit)
    state = SimpleNamespace(app=app, consumer=SimpleNamespace(strategies={"nap": "old"}))
    assert "ok" in time_limit(state, "nap", hard=9, soft=None)
    assert state.consumer.strategies == {"nap": (None, 9)}
    assert time_limit(state, "nosuch", hard=9) == {"error": "unknown task"}
    assert list(state.consumer.strategies) == ["nap"]


@pytest.fixture
def starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A worker of the pool cpu that starts, and the directory of its pools' files."""
    app = Celery("shop", broker="memory://", set_as_current=False)

    @app.task(name="nap", lazy=False, rate_limit="10/m", time_limit=60)
    def nap() -> None: ...

    monkeypatch.setenv("CELERYOPS_SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setattr("celeryops_runtime._limits._declared", {})
    (tmp_path / "pools").mkdir()
    return SimpleNamespace(app=app, hostname="cpu1@w1", pools=tmp_path / "pools")


def keep(worker: Any, declared: Any, task: str = "nap") -> None:
    kept = json.dumps({task: {"declared": declared, "live": LIVE}})
    (worker.pools / "cpu.env").write_text(f"CELERYOPS_TASK_LIMITS={kept}\n")


def limits(worker: Any) -> dict[str, Any]:
    task = worker.app.tasks["nap"]
    return {name: getattr(task, name) for name in OWN}


def test_kept_limits_apply_at_a_start(starting: Any) -> None:
    keep(starting, OWN)
    apply_kept_limits(starting)
    assert limits(starting) == LIVE
    assert celeryops_limits(starting, "nap") == {"declared": OWN}
    assert celeryops_limits(starting, "nosuch") == {"error": "unknown task"}


@pytest.mark.parametrize(("declared", "task"), [({**OWN, "time_limit": 90}, "nap"), (OWN, "gone")])
def test_limits_that_have_been_overtaken_do_not(
    starting: Any, caplog: pytest.LogCaptureFixture, declared: Any, task: str
) -> None:
    keep(starting, declared, task)
    apply_kept_limits(starting)
    assert limits(starting) == OWN
    assert f"The limits set live for {task} don't count" in caplog.text


def test_where_nothing_is_kept(starting: Any) -> None:
    assert celeryops_limits(starting, "nap") == {"declared": OWN}
    apply_kept_limits(starting)
    assert limits(starting) == OWN
