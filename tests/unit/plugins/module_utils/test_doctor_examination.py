# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _doctor_examination
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Backend,
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor import Address, Place
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor_examination import (
    Order,
    examine,
    order_of,
    selected_nodes,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)

NODES = {
    name: Node(name, host, pool, "prefork", ("default",), 2)
    for name, host, pool in (
        ("cpu1@w1", "w1", "cpu"),
        ("io1@w1", "w1", "io"),
        ("cpu1@w2", "w2", "cpu"),
    )
}
BROKER = Broker("redis://:secret-passw0rd@b", "/etc/control.json")
BACKEND = Backend("redis://:secret-passw0rd@b/1", "/etc/control.json")
CLUSTER = Cluster(BROKER, app="shop", host="w1", nodes=NODES, backend=BACKEND)
STOPPED = {
    "LoadState": "loaded",
    "ActiveState": "inactive",
    "SubState": "dead",
    "Result": "success",
}


class Host:
    """What is read of a host and of its way to the servers."""

    def __init__(self) -> None:
        self.open = True
        self.asked: list[str] = []
        self.fault: CeleryOpsError | None = None

    def reach(self, server: Any, place: Any, _remaining: Any) -> Place:
        self.asked.append(f"reach {place}")
        address = Address("10.0.0.1", fault=None if self.open else "refused")
        return Place(server.title, server.origin, place.host, place.port, (address,))

    def login(self, server: Any, _remaining: Any) -> CeleryOpsError | None:
        self.asked.append(f"log in to {server.title} by {server.origin}")
        return self.fault


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()

    def show(names: Any, _remaining: Any) -> list[dict[str, str]]:
        return [{"Id": name, **STOPPED} for name in names]

    stand_ins: dict[str, Callable[..., Any]] = {
        "reach": made.reach,
        "login_fault": made.login,
        "show_units": show,
        "processes": lambda _shown: (),
        "disks": lambda _app: (),
        "releases": lambda _app: {"token1": "1.4"},
        "log_lines": lambda unit, *_, **__: [f"{unit} uses {BROKER.url}", "secret-passw0rd"],
        "file_lines": lambda _app, unit, *_: [f"{unit} found in a file"],
        "documents": lambda _app: {
            "settings.json": {"task_routes": {"shop.refresh_token": "mail"}}
        },
        "known_secrets": lambda _app: {"secret-passw0rd"},
        "worker_broker_url": lambda _app: ("/etc/worker.env", BROKER.url),
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(_doctor_examination, name, stand_in)
    return made


def look(cluster: Cluster = CLUSTER, order: Order | None = None) -> dict[str, Any]:
    return examine(cluster, order or Order(), lambda: 5.0)


def test_a_host(host: Host) -> None:
    found = look(order=Order(reference=time.time() - 100))
    assert [(each["node"], each["host"], each["check"]) for each in found["findings"]] == [
        ("cpu1@w1", "w1", "unit"),
        ("io1@w1", "w1", "unit"),
    ]
    assert 99 < found["clock_offset"] < 110
    assert found["routes"] == [{"task": "shop.refresh_token", "queue": "mail"}]
    assert found["releases"] == [{"instance": "token1", "release": "1.4"}]
    assert (found["host"], found["details"]) == ("w1", None)


def test_a_place_that_broker_and_backend_share_is_told_once(host: Host) -> None:
    host.open = False
    found = [each for each in look()["findings"] if each["check"] != "unit"]
    assert [each["check"] for each in found] == ["port"]
    assert host.asked == ["reach b:6379"]


def test_the_login_of_each(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ("/etc/worker.env", "redis://:another@b")
    monkeypatch.setattr(_doctor_examination, "worker_broker_url", lambda _app: other)
    host.fault = BrokerError("The broker refuses secret-passw0rd: check it.")
    found = [each for each in look()["findings"] if each["check"] == "login"]
    assert [each["cause"] for each in found] == ["The broker refuses ***."] * 3
    assert host.asked[1:] == [
        "log in to broker by /etc/control.json",
        "log in to broker by /etc/worker.env",
        "log in to result backend by /etc/control.json",
    ]


def test_the_details_hold_no_secret(host: Host) -> None:
    details = look(order=Order(details=True))["details"]
    units = ["celery-shop-cpu@1.service", "celery-shop-io@1.service"]
    assert [log["unit"] for log in details["logs"]] == units
    assert "secret-passw0rd" not in str(details)
    assert details["versions"]["python"].startswith("3.")
    assert "settings.json" in details["files"]


def test_a_broker_alone(host: Host) -> None:
    found = look(Cluster(BROKER))
    assert (found["host"], found["findings"], found["units"]) == (None, [], [])


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (Order(), ["cpu1@w1", "io1@w1"]),
        (Order(("all",)), ["cpu1@w1", "io1@w1"]),
        (Order(("cpu*",)), ["cpu1@w1"]),
        (Order(pool="io"), ["io1@w1"]),
        (Order(("cpu*",), pool="io"), []),
    ],
)
def test_the_nodes(order: Order, names: list[str]) -> None:
    assert selected_nodes(CLUSTER, order) == names


def test_a_time_out_that_is_too_short() -> None:
    assert order_of(None, None, None, False, 5.0) == Order()
    with pytest.raises(CeleryOpsError, match="at least 5 seconds, not 4"):
        order_of(None, None, None, False, 4.0)
