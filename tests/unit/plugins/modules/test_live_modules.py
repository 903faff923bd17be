# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""celery_consumer, celery_worker and celery_task_limits from their options to their result."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.celeryops.cluster.plugins.module_utils import _arguments, _pool_file
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies
from ansible_collections.celeryops.cluster.plugins.modules import (
    celery_consumer,
    celery_task_limits,
    celery_worker,
)

NODE = Node("cpu1@w1", "w1", "cpu", "prefork", ("default",), 2)
CLUSTER = Cluster(Broker("redis://b", "x"), app="shop", host="w1", nodes={"cpu1@w1": NODE})
ANSWERS: dict[str, Any] = {
    "active_queues": [{"name": "default", "exchange": {"name": "default", "type": "direct"}}],
    "active": [],
    "reserved": [],
    "conf": {},
    "celeryops_limits": {
        "declared": {"rate_limit": "10/m", "soft_time_limit": None, "time_limit": None}
    },
    "registered": ["shop.nap [rate_limit=10/m]"],
    "stats": {
        "pool": {"implementation": "celery.concurrency.prefork:TaskPool", "processes": [1, 2]}
    },
}
Result = Callable[..., dict[str, Any]]


class Client:
    """Answers like one idle node, and refuses to change it."""

    duplicates: tuple[str, ...] = ()

    def __init__(self, fault: Exception | None) -> None:
        self.fault = fault

    def call(self, command: str, nodes: Any = (), **_: Any) -> Replies:
        if self.fault:
            raise self.fault
        return Replies(dict.fromkeys(nodes, ANSWERS[command]))

    def call_all(self, calls: Any, **_: Any) -> list[Replies]:
        return [self.call(call.command, call.nodes) for call in calls]

    def run(self, step: Callable[[Any], Any]) -> Any:
        return step(SimpleNamespace(transport=SimpleNamespace(driver_type="redis")))


@pytest.fixture
def result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Result:
    """Runs a module in check mode and returns what it prints."""
    (tmp_path / "shop" / "pools").mkdir(parents=True)
    for function in (_pool_file.pool_files, _pool_file.opened_files):
        monkeypatch.setattr(function, "__defaults__", (tmp_path,))
    monkeypatch.setattr(_arguments, "read_cluster", lambda _app: CLUSTER)

    def call(
        module: ModuleType, fault: Exception | None = None, **arguments: Any
    ) -> dict[str, Any]:
        monkeypatch.setattr(_arguments, "Client", lambda *_: nullcontext(Client(fault)))
        options = {"app": "shop", "_ansible_check_mode": True, **arguments}
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        return dict(json.loads(capsys.readouterr().out))

    return call


def test_consumer(result: Result) -> None:
    found = result(celery_consumer, queues=["default", {"name": "mail"}])
    assert found["changed"]
    assert found["nodes"]["cpu1@w1"]["after"] == ["default", "mail"]
    assert found["persisted"]["cpu"]["after"]["CELERY_WORKER_QUEUES"] == "default,mail"
    again = result(celery_consumer, queues=["default"], state="exact", persist=False)
    assert (again["changed"], again["persisted"]) == (False, {})


def test_worker(result: Result) -> None:
    found = result(celery_worker, state="drained")
    assert (found["changed"], found["drained"]) == (True, True)
    assert not result(celery_worker, state="consuming")["changed"]


def test_task_limits(result: Result) -> None:
    found = result(celery_task_limits, task="shop.nap", rate_limit="20/m")
    assert found["nodes"]["cpu1@w1"]["after"]["rate_limit"] == "20/m"
    assert "20/m" in found["persisted"]["cpu"]["after"]["CELERYOPS_TASK_LIMITS"]
    again = result(celery_task_limits, task="shop.nap", rate_limit="600/h")
    assert (again["changed"], again["persisted"]["cpu"]["after"]) == (False, {})
    alone = result(celery_task_limits, task="shop.nap", rate_limit="20/m", persist=False)
    assert (alone["changed"], alone["persisted"]) == (True, {})


@pytest.mark.parametrize(
    ("module", "arguments", "sentence"),
    [
        (celery_consumer, {"queues": ["default"], "state": "absent"}, "without any queue"),
        (celery_consumer, {"queues": ["a b"]}, "is no name of a queue"),
        (celery_consumer, {}, "missing required arguments: queues"),
        (celery_consumer, {"queues": ["a"], "state": "gone"}, "must be one of"),
        (celery_worker, {}, "one of the following is required: state, events"),
        (celery_worker, {"state": "stopped"}, "must be one of"),
        (celery_task_limits, {"task": "shop.nap"}, "one of the following is required: rate_limit"),
        (celery_task_limits, {"rate_limit": "1"}, "missing required arguments: task"),
        (celery_task_limits, {"task": "shop.nap", "rate_limit": "1/d"}, "tasks per second"),
    ],
)
def test_what_is_refused_before_anybody_is_asked(
    result: Result, module: ModuleType, arguments: dict[str, Any], sentence: str
) -> None:
    found = result(module, fault=AssertionError("it was asked"), **arguments)
    assert found["failed"]
    assert sentence in found["msg"]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (celery_consumer, {"queues": ["mail"]}),
        (celery_worker, {"state": "paused"}),
        (celery_task_limits, {"task": "shop.nap", "rate_limit": "1"}),
    ],
)
def test_the_broker_is_down(result: Result, module: ModuleType, arguments: dict[str, Any]) -> None:
    assert result(module, fault=BrokerError("Gone."), **arguments)["msg"] == "Gone."
