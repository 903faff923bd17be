# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two modules of queues from their options to their result."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import nullcontext
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.celeryops.cluster.plugins.module_utils import _arguments
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import Moved, Reading
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies
from ansible_collections.celeryops.cluster.plugins.modules import celery_queue, celery_queue_info

NODE = Node("cpu1@w1", "w1", "cpu", "prefork", ("default",), 2)
CLUSTER = Cluster(Broker("redis://b", "x"), app="shop", host="w1", nodes={"cpu1@w1": NODE})
ANSWERS: dict[str, Any] = {
    "conf": {},
    "active_queues": [{"name": "default"}],
    "stats": {"pool": {"implementation": "prefork:TaskPool", "processes": [1, 2]}},
}


class Side:
    """A broker with two queues."""

    on_redis = True

    def read(self, names: Collection[str], _most: int) -> dict[str, Reading]:
        known = {"default": Reading(True, ready=3), "mail": Reading(True, ready=1)}
        return {name: known.get(name, Reading(False)) for name in names}

    def move(self, _source: str, _target: str, count: int, _until: float) -> Moved:
        return Moved(count)

    def purge(self, _name: str) -> int:
        return 3

    def declare(self, _definition: Any) -> None:
        """Make nothing."""

    def delete(self, *_: Any, **__: Any) -> None:
        """Delete nothing."""


class Client:
    duplicates: tuple[str, ...] = ()

    def remaining(self) -> float:
        return 10.0

    def call(self, command: str, nodes: Any = (), **_: Any) -> Replies:
        return Replies({node: ANSWERS.get(command, []) for node in nodes})

    def call_all(self, calls: Any, **_: Any) -> list[Replies]:
        return [self.call(call.command, call.nodes) for call in calls]


@pytest.fixture
def result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Runs a module and returns what it prints."""
    monkeypatch.setattr(_arguments, "read_cluster", lambda _app: CLUSTER)
    monkeypatch.setattr(_arguments, "Client", lambda *_: nullcontext(Client()))
    for module in (celery_queue, celery_queue_info):
        monkeypatch.setattr(module, "queues_by", lambda *_: lambda step: step(Side()))

    def call(module: Any, **arguments: Any) -> dict[str, Any]:
        with patch_module_args({"app": "shop", **arguments}), pytest.raises(SystemExit):
            module.main()
        return dict(json.loads(capsys.readouterr().out))

    return call


@pytest.mark.parametrize(
    ("arguments", "changed", "count"),
    [
        ({"name": "new"}, True, None),
        ({"name": "default", "state": "purged", "confirm": True}, True, 3),
        ({"name": "default", "state": "moved", "to": "mail"}, True, 3),
        ({"name": "default", "state": "moved", "to": "mail", "limit": 2}, True, 2),
        ({"name": "mail", "state": "absent", "force": True}, True, None),
        ({"name": "new", "state": "absent"}, False, None),
    ],
)
def test_states(
    result: Callable[..., dict[str, Any]], arguments: dict[str, Any], changed: bool, count: Any
) -> None:
    found = result(celery_queue, **arguments)
    assert "failed" not in found
    assert (found["changed"], found["count"]) == (changed, count)
    assert arguments["name"] in found["queues"]
    assert {"nodes", "missing", "errors", "duplicates", "elapsed"} <= found.keys()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "missing required arguments: name"),
        ({"name": "default", "state": "moved"}, "`state: moved` needs `to`"),
        ({"name": "default", "state": "moved", "to": "mail", "limit": 0}, "must be at least 1"),
        ({"name": "default", "type": "streams"}, "value of type must be one of"),
        ({"name": "default", "state": "absent"}, "3 messages wait in it"),
        ({"name": "default", "colour": "red"}, "Unsupported parameters"),
    ],
)
def test_refusals(
    result: Callable[..., dict[str, Any]], arguments: dict[str, Any], sentence: str
) -> None:
    found = result(celery_queue, **arguments)
    assert found["failed"]
    assert sentence in found["msg"]


def test_info(result: Callable[..., dict[str, Any]]) -> None:
    found = result(celery_queue_info)
    assert not found["changed"]
    assert found["queues"]["default"]["ready"] == 3
    assert found["queues"]["default"]["nodes"] == ["cpu1@w1"]
    assert found["nodes"] == {"cpu1@w1": {"queues": ["default"], "processes": 2}}


@pytest.mark.parametrize("option", ["observe", "most_unacked"])
def test_info_refuses(result: Callable[..., dict[str, Any]], option: str) -> None:
    assert result(celery_queue_info, **{option: -1})["msg"].startswith(f"`{option}` must not be be")
