from __future__ import annotations

from types import SimpleNamespace

from celery import Celery

from celeryops_runtime._limits import time_limit


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
