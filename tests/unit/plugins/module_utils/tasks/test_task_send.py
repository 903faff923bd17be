# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sending, with nodes that answer by a script and kombu's transport within one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _task_send
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._results import Results
from ansible_collections.celeryops.cluster.plugins.module_utils._task_order import (
    Order,
    Signature,
    Timing,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._task_route import Route
from ansible_collections.celeryops.cluster.plugins.module_utils._task_send import (
    Plan,
    message_of,
    outcome,
    plan,
    post,
)

kombu = pytest.importorskip("kombu")

NODES = ["cpu1@w1", "io1@w1", "one1@w1"]
QUEUES = {"cpu1@w1": ["cpu", "cpu1@w1.dq2"], "io1@w1": ["io"]}
TASKS = ["shop.add", "shop.mail"]
CLUSTER = Cluster(
    Broker("amqp://b", "the file"),
    app="shop",
    nodes={"one1@w1": Node("one1@w1", "w1", "one", "solo", ("one",), 1)},
)
REDIS = replace(CLUSTER, broker=Broker("redis://b", "the file"))
ADD = Signature("x", "shop.add", (1,), {"token": "hunter2"})
Make = Callable[..., Any]


def route(task_name: str, queue: str | None = None) -> dict[str, Any]:
    return {
        "registered": task_name in TASKS,
        "queue": queue or "cpu",
        "exchange": "",
        "exchange_type": "direct",
        "routing_key": queue or "cpu",
        "delayed_key": None,
        "priority": None,
        "expires": None,
        "ignore_result": False,
    }


def say(node: str, command: str, arguments: Mapping[str, Any]) -> Any:
    """Two nodes that know the same tasks, and a silent one."""
    if node not in QUEUES:
        return None
    answers: dict[str, Callable[[], Any]] = {
        "active_queues": lambda: [{"name": name} for name in QUEUES[node]],
        "query_task": dict,
        "celeryops_route": lambda: route(**arguments),
        "registered": lambda: [f"{name} [rate_limit=1/s]" for name in TASKS],
    }
    return answers[command]()


def without_runtime(node: str, command: str, arguments: Mapping[str, Any]) -> Any:
    if command == "celeryops_route":
        raise ValueError("unknown command 'celeryops_route'")
    return say(node, command, arguments)


def order(*signatures: Signature, kind: str = "task", given: bool = False, **options: Any) -> Order:
    return Order(signatures or (ADD,), kind, "x", given, **options)


@pytest.fixture
def client(script: Make) -> Any:
    found = script(say, cpu=0, io=0)
    found.connection = kombu.Connection("memory://")
    yield found
    found.connection.release()


def planned(client: Any, wanted: Order, cluster: Cluster = CLUSTER, **options: Any) -> Plan:
    settings: dict[str, Any] = {"results": None, "force": False, **options}
    return plan(client, cluster, NODES, wanted, settings["results"], settings["force"])


def test_the_route_of_the_app(client: Any) -> None:
    found = planned(client, order())
    assert found.routes == {"x": Route("cpu", "", "direct", "cpu")}
    assert (found.survey.missing, found.survey.consumers("cpu")) == (["one1@w1"], ["cpu1@w1"])
    assert found.due_ids == ["x"]
    assert client.commands() == []


def test_a_node_that_consumes_from_the_queue_tells_the_route(script: Make) -> None:
    def differing(node: str, command: str, arguments: Mapping[str, Any]) -> Any:
        if command == "celeryops_route":
            return {**route("shop.add", "io"), "delayed_key": "io" if node == "io1@w1" else None}
        return say(node, command, arguments)

    found = planned(script(differing, io=0), order())
    assert found.routes["x"] == Route("io", "", "direct", "io", delayed_key="io")


@pytest.mark.parametrize("cluster", [CLUSTER, replace(CLUSTER, app=None)])
def test_without_the_runtime_a_queue_is_needed(script: Make, cluster: Cluster) -> None:
    client = script(without_runtime, cpu=0, io=0)
    why = "unknown command 'celeryops_route'" if cluster.app else "no node of the kit answered"
    with pytest.raises(CeleryOpsError, match=rf"'shop\.add' \({why}\): give `queue`"):
        planned(client, order(), cluster)
    found = planned(client, order(replace(ADD, queue="io")), cluster)
    assert found.routes["x"] == Route("io", "", "direct", "io")
    asked = any(command == "celeryops_route" for _, command, _, _ in client.sent)
    assert asked == (cluster.app is not None)


@pytest.mark.parametrize("speak", [say, without_runtime])
def test_an_unknown_task(script: Make, speak: Any) -> None:
    client = script(speak, cpu=0, io=0)
    wanted = order(replace(ADD, task="shop.ad", queue="cpu"))
    with pytest.raises(CeleryOpsError, match=r"cpu1@w1 doesn't know .* did you mean 'shop\.add'"):
        planned(client, wanted)
    assert planned(client, wanted, force=True).due_ids == ["x"]


def test_an_unknown_task_later_in_a_chain(client: Any) -> None:
    with pytest.raises(CeleryOpsError, match=r"doesn't know the task 'zzz' .* drop it\. Give"):
        planned(client, order(ADD, Signature("y", "zzz"), kind="chain"))


def test_a_queue_that_does_not_exist(client: Any) -> None:
    with pytest.raises(CeleryOpsError, match=r"'cp' doesn't exist.*did you mean 'cpu'"):
        planned(client, order(replace(ADD, queue="cp")))


def test_the_route_of_the_app_leads_nowhere(script: Make) -> None:
    with pytest.raises(CeleryOpsError, match=r"'cpu', to which the app sends 'shop\.add',"):
        planned(script(say, io=0), order())


def test_queues_on_redis(script: Make) -> None:
    client = script(say, cpu=0, io=0, one=0, nobody=0, waiting=4)
    for queue in ("cpu", "one", "waiting"):
        assert planned(client, order(replace(ADD, queue=queue)), REDIS).due
    with pytest.raises(CeleryOpsError, match="'nobody' doesn't exist"):
        planned(client, order(replace(ADD, queue="nobody")), REDIS)


def test_what_was_sent_is_not_sent_again(client: Any, results: Results, store: Make) -> None:
    wanted = order(given=True)
    assert planned(client, wanted, results=results).due_ids == ["x"]
    store("x", None, "STARTED")
    found = planned(client, wanted, results=results)
    assert (found.due_ids, found.known) == ([], {"x": "STARTED"})
    assert planned(client, wanted, results=results, force=True).due_ids == ["x"]


def test_what_a_worker_holds_is_not_sent_again(script: Make) -> None:
    def holding(node: str, command: str, arguments: Mapping[str, Any]) -> Any:
        if command == "query_task" and node == "io1@w1":
            return {"x": ["active", {}]}
        return say(node, command, arguments)

    assert planned(script(holding, cpu=0), order(given=True)).known == {"x": "STARTED"}


def test_the_rest_of_a_group_and_the_whole_of_a_chain(
    client: Any, results: Results, store: Make
) -> None:
    store("b", 1, "SUCCESS")
    tasks = (replace(ADD, id="a"), replace(ADD, id="b"))
    assert planned(client, order(*tasks, kind="group", given=True), results=results).due_ids == [
        "a"
    ]
    chain = order(*tasks, kind="chain", given=True)
    assert planned(client, chain, results=results).due_ids == []
    assert planned(client, chain).due_ids == ["a", "b"]


# --- messages ---------------------------------------------------------------


def message(wanted: Order, found: Route = Route("cpu", "", "direct", "cpu")) -> Any:  # noqa: B008
    routes = {task.id: found for task in wanted.signatures}
    survey = SimpleNamespace(consumers=lambda _queue: [])
    return message_of(Plan(wanted, survey, routes, {}), wanted.posted[0], 1000.0)  # type: ignore[arg-type]


def test_a_message() -> None:
    sent = message(order(headers={"x-who": "me"}, stamps={"order": 17}))
    assert (sent.exchange, sent.routing_key, sent.expiration) == ("", "cpu", None)
    assert sent.body[:2] == ((1,), {"token": "hunter2"})
    headers = sent.headers
    assert (headers["task"], headers["id"], headers["eta"]) == ("shop.add", "x", None)
    assert (headers["x-who"], headers["celeryops_due"]) == ("me", 1000.0)
    assert (headers["stamped_headers"], headers["stamps"]) == (["order"], {"order": 17})
    assert "hunter2" not in str(headers)
    assert sent.properties["correlation_id"] == "x"
    assert "priority" not in sent.properties


def test_the_apps_own_options_and_the_users() -> None:
    found = Route("cpu", "", "direct", "cpu", priority=3, expires=60)
    assert message(order(), found).properties["priority"] == 3
    assert message(order(), found).expiration == 60
    own = order(replace(ADD, priority=0), timing=Timing(expires=5.0))
    assert message(own, found).properties["priority"] == 0
    assert message(own, found).expiration == 5.0


def test_an_eta() -> None:
    eta = datetime.fromtimestamp(1000, timezone.utc) + timedelta(seconds=90)
    wanted = order(timing=Timing(eta))
    held_by_worker = message(wanted)
    assert (held_by_worker.exchange, held_by_worker.routing_key) == ("", "cpu")
    assert held_by_worker.headers["eta"] == eta.isoformat()
    assert held_by_worker.headers["celeryops_due"] == 1090.0
    held_by_broker = message(wanted, Route("cpu", "cpu", "topic", "cpu", delayed_key="cpu"))
    assert held_by_broker.exchange == "celery_delayed_27"
    assert held_by_broker.routing_key == ".".join(f"{90:028b}") + ".cpu"


def test_a_chain_is_one_message() -> None:
    later = [
        Signature("y", "shop.mail", queue="io", priority=2),
        Signature("z", "z", immutable=True),
    ]
    sent = message(order(ADD, *later, kind="chain", stamps={"order": 1}, headers={"h": 2}))
    assert list(sent.ids) == ["x", "y", "z"]
    last, second = sent.body[2]["chain"]
    assert (last["task"], last["immutable"], last["options"]["task_id"]) == ("z", True, "z")
    assert second["options"] == {
        "task_id": "y",
        "queue": "io",
        "priority": 2,
        "headers": {"h": 2},
        "order": 1,
        "stamped_headers": ["order"],
    }


def test_a_group_bears_its_name() -> None:
    assert message(order(ADD, kind="group")).headers["group"] == "x"


# --- publishing -------------------------------------------------------------


def received(connection: Any, queue: str) -> list[Any]:
    channel = connection.channel()
    messages = []
    while (got := channel.basic_get(queue)) is not None:
        messages.append(got)
    return messages


def test_publishing(client: Any, results: Results) -> None:
    client.connection.channel().queue_declare("cpu")
    found = planned(client, order(given=True), results=results)
    post(client, CLUSTER.broker, found, results)
    [got] = received(client.connection, "cpu")
    assert got.headers["id"] == "x"
    assert got.decode()[1] == {"token": "hunter2"}
    assert got.properties["delivery_mode"] == 2
    assert results.read(["x"])["x"]["status"] == "PENDING"


def test_what_is_published_is_signed(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client.connection.channel().queue_declare("cpu")
    codec = SimpleNamespace(encode=lambda _body: ("application/data", "utf-8", "signed"))
    monkeypatch.setattr(_task_send, "codec", lambda _broker: codec)
    post(client, CLUSTER.broker, planned(client, order()), None)
    [got] = received(client.connection, "cpu")
    assert (got.content_type, got.body) == ("application/data", b"signed")


def test_publishing_to_an_exchange(client: Any) -> None:
    channel = client.connection.channel()
    exchange = kombu.Exchange("shop", type="topic")(channel)
    kombu.Queue("cpu", exchange, routing_key="shop.#")(channel).declare()
    found = planned(client, order())
    found = replace(found, routes={"x": Route("cpu", "shop", "topic", "shop.add")})
    post(client, CLUSTER.broker, found, None)
    assert len(received(client.connection, "cpu")) == 1


def test_no_queue_is_bound_to_an_exchange(client: Any) -> None:
    found = planned(client, order())
    found = replace(found, routes={"x": Route("cpu", "shop", "topic", "nobody.wants.it")})
    with pytest.raises(CeleryOpsError, match=r"\(no queue is bound\).*; x was not sent"):
        post(client, CLUSTER.broker, found, None)


class Channel:
    """A channel of RabbitMQ that treats messages as it is told."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.published: list[dict[str, Any]] = []

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def basic_publish(self, *_arguments: Any, **_options: Any) -> None:
        raise AssertionError("published without a confirmation")

    def basic_publish_confirm(self, _message: Any, **options: Any) -> None:
        if fault := self.faults.pop(0):
            raise fault
        self.published.append(options)

    def prepare_message(self, body: Any, **_options: Any) -> Any:
        return body


class RefusedError(Exception):
    pass


class MessageNacked(Exception):  # noqa: N818
    pass


def on_rabbitmq(script: Make, *faults: Exception | None) -> tuple[Any, Channel]:
    channel = Channel(*faults)
    client = script(say, cpu=0, io=0)
    client.connection = SimpleNamespace(
        channel=lambda: channel, channel_errors=(RefusedError,), _channel_errors=()
    )
    run = client.run

    def translated(step: Any) -> Any:
        try:
            return run(step)
        except OSError as error:
            raise BrokerError(f"The broker at b failed ({error}).") from error

    client.run = translated
    return client, channel


GROUP = tuple(replace(ADD, id=name) for name in "abc")


def test_rabbitmq_confirms(script: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kombu.messaging.Producer", Producer)
    client, channel = on_rabbitmq(script, None)
    post(client, CLUSTER.broker, planned(client, order()), None)
    assert channel.published == [{"exchange": "", "routing_key": "cpu", "mandatory": True}]


@pytest.mark.parametrize("fault", [RefusedError("NO_ROUTE"), MessageNacked()])
def test_a_refusal(
    script: Make, results: Results, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr("kombu.messaging.Producer", Producer)
    client, _channel = on_rabbitmq(script, None, fault)
    wanted = order(*GROUP, kind="group", given=True)
    with pytest.raises(CeleryOpsError, match="b, c was not sent, a was sent") as got:
        post(client, CLUSTER.broker, planned(client, wanted), results)
    assert got.value.result == {"sent": ["a"]}
    assert list(results.read(["a", "b", "c"])) == ["a"]


def test_an_unknown_outcome(
    script: Make, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kombu.messaging.Producer", Producer)
    client, _channel = on_rabbitmq(script, None, OSError("reset by peer"))
    wanted = order(*GROUP, kind="group", given=True)
    with pytest.raises(CeleryOpsError, match="isn't known whether b was sent, c was not") as got:
        post(client, CLUSTER.broker, planned(client, wanted), results)
    assert "before you send it again" in str(got.value)
    assert got.value.result == {"sent": ["a", "b"]}
    assert list(results.read(["a", "b", "c"])) == ["a", "b"]


class Producer:
    """So much of kombu's as a message needs."""

    def __init__(self, channel: Channel, auto_declare: bool) -> None:
        assert not auto_declare
        self._channel = channel

    def publish(self, body: Any, **options: Any) -> None:
        names = ("exchange", "routing_key", "mandatory")
        assert options["retry"] is False
        self._channel.basic_publish = self._channel.basic_publish_confirm  # type: ignore[method-assign]
        self._channel.basic_publish(body, **{name: options[name] for name in names})


def test_nothing_goes_on_after_it_was_given_up(client: Any) -> None:
    client.connection.channel().queue_declare("cpu")
    steps = []

    def later(step: Any) -> None:
        steps.append(step)
        raise BrokerError("The broker at b didn't answer.")

    client.run = later
    with pytest.raises(CeleryOpsError, match="x was not sent"):
        post(client, CLUSTER.broker, planned(client, order()), None)
    steps[0](client.connection)
    assert received(client.connection, "cpu") == []


def test_outcome(client: Any) -> None:
    found = planned(client, order())
    result = outcome(found, ["x"], {})
    assert result["changed"]
    assert result["diff"]["after"] == {"tasks": {"x": "PENDING"}}
    assert result["tasks"]["x"]["consumers"] == ["cpu1@w1"]
    assert outcome(found, ["x"], {"x": {"status": "SUCCESS"}})["tasks"]["x"]["after"] == "SUCCESS"
    again = outcome(replace(found, known={"x": "FAILURE"}), [], {})
    assert (again["changed"], again["tasks"]["x"]["after"]) == (False, "FAILURE")
