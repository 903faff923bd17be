from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C  # noqa: N812
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import fragment_loader
from ansible.template import is_trusted_as_template
from ansible.utils.plugin_docs import get_docstring

from ansible_collections.celeryops.cluster.plugins.inventory import celery
from ansible_collections.celeryops.cluster.plugins.inventory.celery import InventoryModule
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies
from ansible_collections.celeryops.cluster.plugins.plugin_utils._live_nodes import (
    by_machine,
    groups_of,
    live_nodes,
)

PLUGIN = "celeryops.cluster.celery"
GROUPINGS = ("status", "health", "pool", "kind", "queue", "release")


class Client:
    """Speaks for nodes that are idle, by name with the queues they consume from."""

    duplicates: tuple[str, ...] = ()

    def __init__(self, nodes: Mapping[str, Sequence[str]]) -> None:
        self._nodes = nodes

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def remaining(self) -> float:
        return 10.0

    def call(self, command: str) -> Replies:
        return self._reply(command, self._nodes, True)

    def call_all(self, calls: Any, **_options: Any) -> list[Replies]:
        return [self._reply(call.command, call.nodes, call.directed) for call in calls]

    def queue_sizes(self, names: Any) -> dict[str, int]:
        return dict.fromkeys(names, 0)

    def _reply(self, command: str, nodes: Any, directed: bool) -> Replies:
        asked = nodes if directed else self._nodes
        return Replies(
            {node: self._answer(command, node) for node in asked if node in self._nodes},
            missing=sorted(set(nodes) - set(self._nodes)),
        )

    def _answer(self, command: str, node: str) -> Any:
        processes = {"implementation": "celery.concurrency.prefork:TaskPool", "processes": [1, 2]}
        return {
            "ping": {"ok": "pong"},
            "stats": {"pool": processes, "total": {}},
            "active_queues": [{"name": queue} for queue in self._nodes[node]],
            "celeryops": {"release": "1.0.0-a"},
        }.get(command, [])


def node(name: str, *queues: str) -> Node:
    return Node(name, name.partition("@")[2], name[:-4], "prefork", queues, 2, "1.0.0-a")


CLUSTER = Cluster(
    Broker("redis://:hunter2@b", "x"),
    app="shop",
    host="w1",
    nodes={n.name: n for n in (node("cpu1@w1", "cpu"), node("web1@w2", "web"))},
)
EVIL = Client({"cpu1@w1": ["{{ 6 * 7 }}"]})
CLIENT = Client({"cpu1@w1": ["cpu"], "old1@w1": ["cpu", "mail"]})


def test_status_by_what_is_expected() -> None:
    nodes = live_nodes(CLIENT, CLUSTER)  # type: ignore[arg-type]
    assert {name: values["celery_status"] for name, values in nodes.items()} == {
        "cpu1@w1": "online",
        "old1@w1": "unknown",
        "web1@w2": "offline",
    }
    assert nodes["cpu1@w1"] == {
        "celery_node": "cpu1@w1",
        "celery_host": "w1",
        "celery_status": "online",
        "celery_healthy": True,
        "celery_reasons": [],
        "celery_pool": "cpu",
        "celery_kind": "prefork",
        "celery_queues": ["cpu"],
        "celery_release": "1.0.0-a",
        "celery_processes": 2,
        "celery_active": 0,
        "celery_reserved": 0,
    }
    offline = nodes["web1@w2"]
    assert (offline["celery_kind"], offline["celery_queues"]) == ("prefork", ["web"])
    assert (offline["celery_healthy"], offline["celery_processes"]) == (False, None)


def test_expected_by_name() -> None:
    bare = Cluster(CLUSTER.broker)
    nodes = live_nodes(CLIENT, bare, ["cpu1@w1", "web1@w2"])  # type: ignore[arg-type]
    assert {name: values["celery_status"] for name, values in nodes.items()} == {
        "cpu1@w1": "online",
        "old1@w1": "unknown",
        "web1@w2": "offline",
    }
    everything = live_nodes(CLIENT, bare)  # type: ignore[arg-type]
    assert {values["celery_status"] for values in everything.values()} == {"online"}
    assert sorted(everything) == ["cpu1@w1", "old1@w1"]


def test_machines() -> None:
    machines = by_machine(live_nodes(CLIENT, CLUSTER))  # type: ignore[arg-type]
    assert sorted(machines) == ["w1", "w2"]
    assert sorted(machines["w1"]["celery_nodes"]) == ["cpu1@w1", "old1@w1"]
    assert machines["w1"]["celery_queues"] == ["cpu", "mail"]
    assert machines["w1"]["celery_status"] == "unknown"
    (reason,) = machines["w2"]["celery_reasons"]
    assert reason.startswith("web1@w2: doesn't answer")


def test_groups() -> None:
    nodes = live_nodes(CLIENT, CLUSTER)  # type: ignore[arg-type]
    assert groups_of(nodes["cpu1@w1"], GROUPINGS) == [
        "celery_online",
        "celery_healthy",
        "celery_pool_cpu",
        "celery_kind_prefork",
        "celery_queue_cpu",
        "celery_release_1.0.0-a",
    ]
    assert groups_of(nodes["web1@w2"], ["status", "release"]) == ["celery_offline"]
    machine = by_machine(nodes)["w1"]
    assert groups_of(machine, ["pool", "status"]) == [
        "celery_pool_cpu",
        "celery_pool_old",
        "celery_unknown",
    ]


def plugin() -> InventoryModule:
    """The plugin as Ansible's loader makes it; that one can't be used in a process with tests."""
    documentation = get_docstring(celery.__file__, fragment_loader)[0]
    C.config.initialize_plugin_configuration_definitions(
        "inventory", PLUGIN, documentation["options"]
    )
    made = InventoryModule()
    made._load_name = made.ansible_name = PLUGIN
    return made


@pytest.fixture
def parse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[InventoryData, list[Any]]]:
    """Reads a source of the plugin; returns the inventory and the clients' brokers."""

    def read(
        options: dict[str, Any],
        fault: Exception | None = None,
        cache: bool = True,
        nodes: Client = CLIENT,
    ) -> tuple[InventoryData, list[Any]]:
        made = plugin()
        asked = []

        def connect(broker: Broker, _timeout: float) -> Client:
            asked.append(broker)
            if fault:
                raise fault
            return nodes

        monkeypatch.setattr(celery, "Client", connect)
        source = tmp_path / "live.celery.yml"
        source.write_text(json.dumps({"plugin": PLUGIN, **options}), encoding="utf-8")
        assert made.verify_file(str(source))
        inventory = InventoryData()
        made.parse(inventory, DataLoader(), str(source), cache=cache)
        made.update_cache_if_changed()
        return inventory, asked

    return read


def test_source(parse: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("H", "hunter2")
    inventory, (broker,) = parse(
        {
            "broker_url": "{{ 'redis://:' ~ lookup('env', 'H') ~ '@b' }}",
            "broker_options": {"global_keyprefix": "p"},
            "nodes": ["cpu1@w1"],
            "groups": {"mailers": "'mail' in celery_queues"},
            "keyed_groups": [{"key": "celery_pool", "prefix": "runs"}],
            "compose": {"ansible_host": "celery_host"},
        }
    )
    assert broker.url == "redis://:hunter2@b"
    assert broker.options == {"global_keyprefix": "p"}
    groups = {name: [h.name for h in g.hosts] for name, g in inventory.groups.items() if g.hosts}
    assert groups["mailers"] == groups["runs_old"] == groups["celery_unknown"] == ["old1@w1"]
    assert inventory.hosts["cpu1@w1"].vars["ansible_host"] == "w1"
    assert "hunter" not in repr({n: h.vars for n, h in inventory.hosts.items()})


def test_what_nodes_tell_is_no_template(parse: Callable[..., Any]) -> None:
    inventory, _asked = parse(
        {"broker_url": "redis://b", "compose": {"seen": "celery_queues | first"}}, nodes=EVIL
    )
    variables = inventory.hosts["cpu1@w1"].vars
    assert variables["seen"] == variables["celery_queues"][0] == "{{ 6 * 7 }}"
    assert not is_trusted_as_template(variables["celery_queues"][0])


def test_cache(parse: Callable[..., Any], tmp_path: Path) -> None:
    options = {
        "broker_url": "redis://:hunter2@b",
        "hosts": "machines",
        "groupings": ["status"],
        "cache": True,
        "cache_plugin": "jsonfile",
        "cache_connection": str(tmp_path / "cache"),
    }
    first, asked = parse(options)
    again, not_asked = parse(options)
    refreshed, asked_again = parse(options, cache=False)
    assert (len(asked), len(not_asked), len(asked_again)) == (1, 0, 1)
    assert sorted(first.hosts) == sorted(again.hosts) == sorted(refreshed.hosts) == ["w1"]
    assert again.hosts["w1"].vars == first.hosts["w1"].vars
    (file,) = (tmp_path / "cache").iterdir()
    assert "hunter2" not in file.read_text(encoding="utf-8")
    assert {name for name in first.groups if name.startswith("celery_")} == {"celery_online"}


@pytest.mark.parametrize(
    "options", [{}, {"app": "shop", "broker_url": "redis://b"}], ids=["neither", "both"]
)
def test_one_way_to_the_broker(parse: Callable[..., Any], options: dict[str, Any]) -> None:
    with pytest.raises(AnsibleParserError, match="Either `broker_url` or `app`"):
        parse(options)


def test_an_unknown_app(parse: Callable[..., Any]) -> None:
    with pytest.raises(AnsibleParserError, match="no app 'shop' on this host"):
        parse({"app": "shop", "configuration": "cluster"})


def test_a_broker_that_is_down(parse: Callable[..., Any]) -> None:
    with pytest.raises(AnsibleParserError, match=r"^The broker at b is gone\.$"):
        parse({"broker_url": "redis://b"}, fault=BrokerError("The broker at b is gone."))


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    path.touch()
    assert not plugin().verify_file(str(path))
