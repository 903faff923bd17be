# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules from their options to their result, with a client in the place of the broker's."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.celeryops.cluster.plugins.module_utils import _arguments, _pool_file
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.plugins.module_utils._info import ITEMS
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies

ROOT = Path(__file__).parents[4]
NAMES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("celery_*.py"))
STATS = {
    "pool": {"implementation": "celery.concurrency.prefork:TaskPool", "processes": [1, 2]},
    "total": {},
}
ANSWERS = {
    "ping": {"ok": "pong"},
    "stats": STATS,
    "active_queues": [{"name": "default"}],
    "active": [],
    "reserved": [],
}
NODE = Node("cpu1@w1", "w1", "cpu", "prefork", ("default",), 2)
CLUSTER = Cluster(Broker("redis://b", "x"), app="shop", host="w1", nodes={"cpu1@w1": NODE})


def module(name: str) -> ModuleType:
    return importlib.import_module(f"ansible_collections.celeryops.cluster.plugins.modules.{name}")


class Client:
    """Answers like one idle node."""

    duplicates: tuple[str, ...] = ()

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault

    def remaining(self) -> float:
        return 10.0

    def call(self, command: str, **options: Any) -> Replies:
        if self.fault:
            raise self.fault
        nodes = options.get("nodes") or []
        return Replies(dict.fromkeys(nodes, ANSWERS[command]))

    def call_all(self, calls: Any, **_options: Any) -> list[Replies]:
        return [self.call(call.command, nodes=call.nodes) for call in calls]

    def queue_sizes(self, names: Any) -> dict[str, int]:
        return dict.fromkeys(names, 0)


@pytest.fixture
def result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., dict[str, Any]]:
    """Runs a module and returns what it prints."""
    (tmp_path / "shop" / "pools").mkdir(parents=True)
    monkeypatch.setattr(_pool_file.pool_files, "__defaults__", (tmp_path,))
    monkeypatch.setattr(_arguments, "read_cluster", lambda _app: CLUSTER)

    def call(name: str, fault: Exception | None = None, **arguments: Any) -> dict[str, Any]:
        monkeypatch.setattr(_arguments, "Client", lambda *_: nullcontext(Client(fault)))
        with patch_module_args({"app": "shop", **arguments}), pytest.raises(SystemExit):
            module(name).main()
        return dict(json.loads(capsys.readouterr().out))

    return call


def test_info(result: Callable[..., dict[str, Any]]) -> None:
    found = result("celery_info", gather=["ping", "active"])
    assert found["nodes"] == {"cpu1@w1": {"ping": "pong", "active": []}}
    assert not found["changed"]


def test_pool(result: Callable[..., dict[str, Any]]) -> None:
    found = result("celery_pool", size=2)
    assert found["nodes"] == {"cpu1@w1": {"before": 2, "after": 2}}
    assert found["persisted"] == {"cpu": {"before": {}, "after": {}}}
    assert not found["changed"]
    assert result("celery_pool", size=4, persist=False, _ansible_check_mode=True)["changed"]
    assert result("celery_pool", restarted=True, _ansible_check_mode=True)["persisted"] == {}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "give either `size`, or both `autoscale_min` and `autoscale_max`, or `restarted"),
        ({"size": 2, "restarted": True}, "a restart keeps the size"),
        ({"size": 2, "autoscale_min": 1, "autoscale_max": 2}, "mutually exclusive"),
        ({"autoscale_max": 2}, "required together"),
        ({"size": 0}, "from 1 to 1000"),
        ({"autoscale_min": 1, "autoscale_max": 2}, "declares no range for pool 'cpu'"),
        ({"size": 2, "nodes": ["x*"]}, "matches 'x*'"),
    ],
)
def test_pool_refuses(
    result: Callable[..., dict[str, Any]], arguments: dict[str, Any], sentence: str
) -> None:
    found = result("celery_pool", fault=AssertionError("it was asked"), **arguments)
    assert found["failed"]
    assert sentence in found["msg"]


def test_pool_demands_nodes(
    result: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(CLUSTER, host="broker1")
    monkeypatch.setattr(_arguments, "read_cluster", lambda _app: elsewhere)
    assert "host broker1 runs no node" in result("celery_pool", size=2)["msg"]


def test_health(result: Callable[..., dict[str, Any]]) -> None:
    found = result("celery_health")
    assert (found["healthy"], found["reasons"]) == (True, [])


def test_health_does_not_fail(result: Callable[..., dict[str, Any]]) -> None:
    found = result("celery_health", fault=BrokerError("The broker at b:6379 is gone."))
    assert "failed" not in found
    assert (found["healthy"], found["reasons"]) == (False, ["The broker at b:6379 is gone."])
    assert "failed" in result("celery_health", pool="nosuch")


def test_the_other_modules_fail_with_the_broker(result: Callable[..., dict[str, Any]]) -> None:
    for name, arguments in (("celery_info", {}), ("celery_pool", {"size": 2})):
        assert result(name, fault=BrokerError("Gone."), **arguments)["msg"] == "Gone."


def test_items_of_info() -> None:
    assert list(ITEMS) == module("celery_info").GATHER


@pytest.mark.parametrize("name", NAMES)
def test_the_action_group_and_the_size_of_a_module(name: str) -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert name in runtime["action_groups"]["celery"]
    source = (ROOT / "plugins" / "modules" / f"{name}.py").read_text()
    assert len(source.splitlines()) <= 400
    documentation = yaml.safe_load(module(name).DOCUMENTATION)
    returned = yaml.safe_load(module(name).RETURN)
    assert documentation["module"] == name
    # The doctor works where no node can be asked, and a recording has its answers in its file.
    silent = name in ("celery_doctor", "celery_recording")
    asked = set() if silent else {"nodes", "missing", "errors", "duplicates"}
    assert asked | {"elapsed"} <= set(returned)
