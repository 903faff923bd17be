# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `celery_task` does, from its options to its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _task
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Backend,
    Broker,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._results import Results
from ansible_collections.celeryops.cluster.plugins.module_utils._task import (
    check_options,
    operate,
)

kombu = pytest.importorskip("kombu")

Make = Callable[..., Any]
CLUSTER = Cluster(
    Broker("amqp://b", "the file"), app="shop", backend=Backend("cache+memory://", "the file")
)
NODES = ["cpu1@w1"]
PARAMS: dict[str, Any] = {
    **dict.fromkeys(["task", "args", "kwargs", "chain", "group", "queue", "priority", "countdown"]),
    **dict.fromkeys(["eta", "expires", "headers", "stamps", "id", "ids", "result_backend"]),
    **dict.fromkeys(["nodes", "pool"]),
    "state": "sent",
    "signal": "SIGTERM",
    "wait": False,
    "force": False,
}
LINK: dict[str, Any] = dict.fromkeys(["args", "kwargs", "queue", "priority"])


class Worker:
    """A node that runs a task as soon as it was sent."""

    def __init__(self) -> None:
        self.ignore_result = False
        self.queues = ["cpu"]

    def __call__(self, _node: str, command: str, arguments: Mapping[str, Any]) -> Any:
        if command == "celeryops_route":
            queue = arguments.get("queue") or "cpu"
            return {
                "queue": queue,
                "exchange": "",
                "exchange_type": "direct",
                "routing_key": queue,
                "delayed_key": None,
                "priority": None,
                "expires": None,
                "registered": True,
                "ignore_result": self.ignore_result,
            }
        answers = {
            "active_queues": [{"name": name} for name in self.queues],
            "query_task": {},
            "revoked": ["a"],
            "revoke_by_stamped_headers": {"ok": ""},
        }
        return answers[command]


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def client(script: Make, worker: Worker, results: Results, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(_task, "readable", lambda backend, _remaining: results if backend else None)
    found = script(worker, cpu=0, slow=0)
    found.connection = kombu.Connection("memory://")
    found.connection.channel().queue_declare("cpu")
    yield found
    found.connection.channel().queue_purge("cpu")
    found.connection.release()


def done(client: Any, cluster: Cluster = CLUSTER, check: bool = False, **params: Any) -> Any:
    options = {**PARAMS, **params}
    check_options(options)
    return operate(client, cluster, NODES, options, check)


def waiting(client: Any) -> int:
    return int(client.connection.channel().queue_declare("cpu", passive=True).message_count)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "one of `task`, `chain` and `group`"),
        ({"task": "t", "chain": [{}]}, "one of `task`, `chain` and `group`"),
        ({"group": [{}], "args": [1]}, "`args` and `kwargs` to each task of `group`"),
        ({"task": "t", "eta": "x", "countdown": 0.0}, "either `eta` or `countdown`"),
        ({"task": "t", "ids": ["a"]}, "`ids` has no meaning with `state: sent`"),
        ({"state": "revoked"}, "either `ids` or `stamps`"),
        ({"state": "terminated", "ids": ["a"], "stamps": {"b": 1}}, "either `ids` or `stamps`"),
        ({"state": "revoked", "ids": ["a"], "queue": "q"}, "`queue` has no meaning"),
        ({"state": "retried"}, "wants one task in `ids`"),
        ({"state": "retried", "ids": ["a", "b"]}, "wants one task in `ids`"),
        ({"state": "retried", "ids": ["a"], "countdown": 1.0}, "`countdown` has no meaning"),
    ],
)
def test_options_that_do_not_go_together(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CeleryOpsError, match=sentence):
        check_options({**PARAMS, **params})


def test_send(client: Any) -> None:
    result = done(client, task="shop.add", id="x")
    assert result["changed"]
    assert result["tasks"]["x"]["after"] == "PENDING"
    assert result["nodes"] == {"cpu1@w1": {"queues": ["cpu"]}}
    assert waiting(client) == 1
    again = done(client, task="shop.add", id="x")
    assert (again["changed"], again["tasks"]["x"]["before"]) == (False, "PENDING")
    assert waiting(client) == 1


def test_check_mode(client: Any) -> None:
    result = done(client, task="shop.add", id="x", wait=True, check=True)
    assert (result["changed"], waiting(client)) == (True, 0)
    assert done(client, task="shop.add", id="x", check=True)["changed"]


def test_wait(client: Any, store: Make) -> None:
    store("x", {"n": 3, "api_token": "hunter2"}, "SUCCESS")
    result = done(client, task="shop.add", id="x", wait=True)
    assert result["result"] == {"n": 3, "api_token": "***"}
    assert not result["changed"]


def test_wait_for_a_group(client: Any, store: Make) -> None:
    store("g-1", 1, "SUCCESS")
    store("g-2", 2, "SUCCESS")
    tasks = [{**LINK, "task": "a"}, {**LINK, "task": "b"}]
    assert done(client, group=tasks, id="g", wait=True)["result"] == [1, 2]


def test_wait_for_a_chain_that_fails(client: Any, store: Make) -> None:
    store("c-1", ValueError("password=hunter2"), "FAILURE")
    tasks = [{**LINK, "task": "a"}, {**LINK, "task": "b"}]
    with pytest.raises(CeleryOpsError, match=r"'a' \(c-1\) failed \(ValueError: password=\*\*\*"):
        done(client, chain=tasks, id="c", wait=True)


def test_wait_for_too_long(client: Any, results: Results) -> None:
    results._remaining = lambda: 0.0
    with pytest.raises(CeleryOpsError, match="x was sent, and has no result in time") as caught:
        done(client, task="shop.add", id="x", wait=True)
    assert caught.value.result["changed"]
    assert caught.value.result["result"] is None


def test_a_backend_that_goes_away_meanwhile(
    client: Any, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise BrokerError("The result backend at r:6379 is gone.")

    monkeypatch.setattr(results, "await_ready", fail)
    with pytest.raises(CeleryOpsError, match=r"is gone; x was sent before\.") as caught:
        done(client, task="shop.add", id="x", wait=True)
    assert caught.value.result["changed"]


@pytest.mark.parametrize(
    ("cluster", "ignore_result", "sentence"),
    [
        (replace(CLUSTER, backend=None), False, "no result backend is known"),
        (CLUSTER, True, "leaves no result"),
    ],
)
def test_vain_waits(
    client: Any, worker: Worker, cluster: Cluster, ignore_result: bool, sentence: str
) -> None:
    worker.ignore_result = ignore_result
    with pytest.raises(CeleryOpsError, match=sentence):
        done(client, cluster, task="shop.add", wait=True)
    assert waiting(client) == 0


def test_a_broker_that_goes_away(client: Any) -> None:
    client.broken = True
    with pytest.raises(CeleryOpsError, match="gone; x was not sent") as caught:
        done(client, task="shop.add", id="x")
    assert not isinstance(caught.value, BrokerError)
    assert not caught.value.result["changed"]
    client.broken = False
    assert done(client, task="shop.add", id="x")["changed"]


def test_revoke(client: Any) -> None:
    assert not done(client, state="revoked", ids=["a"])["changed"]
    assert done(client, state="terminated", stamps={"order": 1}, nodes=["cpu1@w1"])["changed"]
    sent = [(arguments, directed) for _, command, arguments, directed in client.sent]
    assert sent[-1] == ({"headers": {"order": [1]}, "terminate": True, "signal": "SIGTERM"}, True)


# --- retry ------------------------------------------------------------------

FAILED = {"name": "shop.add", "args": [1], "kwargs": {"b": 2}, "queue": "cpu", "worker": "w"}


def test_retry(client: Any, store: Make) -> None:
    store("old", ValueError("no"), "FAILURE", **FAILED)
    result = done(client, state="retried", ids=["old"])
    assert (result["changed"], result["retry_of"]) == (True, "old")
    assert result["tasks"][result["id"]]["task"] == "shop.add"
    message = client.connection.channel().basic_get("cpu")
    assert message.headers["id"] == result["id"] != "old"
    assert message.decode()[:2] == [[1], {"b": 2}]
    again = done(client, state="retried", ids=["old"])
    assert (again["changed"], again["id"]) == (False, result["id"])
    assert done(client, state="retried", ids=["old"], id="new")["id"] == "new"
    forced = [done(client, state="retried", ids=["old"], force=True) for _ in range(2)]
    assert forced[0]["id"] != forced[1]["id"]


@pytest.mark.parametrize(
    ("given", "former", "queue"),
    [(None, "slow", "slow"), (None, "a.routing.key", "cpu"), ("cpu", "slow", "cpu")],
)
def test_the_queue_of_a_retry(
    client: Any, store: Make, worker: Worker, given: str | None, former: str, queue: str
) -> None:
    worker.queues.append("slow")
    store("old", ValueError("no"), "FAILURE", **{**FAILED, "queue": former})
    result = done(client, state="retried", ids=["old"], queue=given, check=True)
    assert result["tasks"][result["id"]]["queue"] == queue


@pytest.mark.parametrize(
    ("state", "sentence"),
    [(None, "knows nothing of old"), ("SUCCESS", "in state SUCCESS"), ("STARTED", "`force: true`")],
)
def test_only_failed_tasks_are_retried(
    client: Any, store: Make, state: str | None, sentence: str
) -> None:
    if state:
        store("old", 1, state, **FAILED)
    with pytest.raises(CeleryOpsError, match=sentence):
        done(client, state="retried", ids=["old"])
    forced = {"task": "shop.add", "args": [5]} if state is None else {}
    assert done(client, state="retried", ids=["old"], force=True, **forced)["changed"]


def test_a_result_without_the_name(client: Any, store: Make) -> None:
    store("old", ValueError("no"), "FAILURE")
    with pytest.raises(CeleryOpsError, match="doesn't tell which task it was"):
        done(client, state="retried", ids=["old"])
    assert done(client, state="retried", ids=["old"], task="shop.add")["changed"]


def test_retry_without_a_backend(client: Any) -> None:
    bare = replace(CLUSTER, backend=None)
    with pytest.raises(CeleryOpsError, match="can't be told that old has failed"):
        done(client, bare, state="retried", ids=["old"], task="shop.add")
    assert done(client, bare, state="retried", ids=["old"], task="shop.add", force=True)["changed"]


def test_a_failed_retry_says_of_what(client: Any, store: Make) -> None:
    store("old", ValueError("no"), "FAILURE", **FAILED)
    client.broken = True
    with pytest.raises(CeleryOpsError) as caught:
        done(client, state="retried", ids=["old"])
    assert caught.value.result["retry_of"] == "old"
