from __future__ import annotations

from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._hosts import (
    host_addresses,
    hosts_entries,
)


def looked_up(name: str, *addresses: str) -> dict[str, Any]:
    """What getent answers: each address with its kinds of sockets."""
    return {
        "item": {"name": name, "address": "of no interest"},
        "ansible_facts": {"getent_ahosts": {address: ["STREAM"] for address in addresses}},
    }


THREE = [looked_up("broker", f"10.0.0.{number}") for number in (1, 2, 3)]


def test_a_name_has_all_its_addresses() -> None:
    found = hosts_entries([*THREE, looked_up("a", "::1", "127.0.0.1")], "worker1")
    assert set(found[:2]) == {"::1 a", "127.0.0.1 a"}
    assert sorted(found[2:]) == ["10.0.0.1 broker", "10.0.0.2 broker", "10.0.0.3 broker"]


def test_hosts_spread_over_the_addresses() -> None:
    first = {hosts_entries(THREE, f"worker{number}")[0] for number in range(20)}
    assert len(first) == 3
    assert hosts_entries(THREE[::-1], "worker1") == hosts_entries(THREE, "worker1")


def test_two_names_of_one_host_are_one_address() -> None:
    assert hosts_entries([THREE[0], THREE[0]], "worker1") == ["10.0.0.1 broker"]


def test_what_is_not_known_has_no_line() -> None:
    unknown = {
        "item": {"name": "broker", "address": "nowhere"},
        "ansible_facts": {"getent_ahosts": {"nowhere": None}},
    }
    assert hosts_entries([unknown], "worker1") == []


def test_a_name_that_is_its_own_address_has_no_line() -> None:
    result = looked_up("broker1", "10.0.0.1")
    result["item"]["address"] = "broker1"
    assert hosts_entries([result], "worker1") == []


def test_addresses_of_hosts() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "a.example": {"celery_address": "10.0.0.1", "ansible_host": "192.0.2.1"},
        "b": {"ansible_host": "192.0.2.2"},
        "c": {},
    }
    assert host_addresses(["a.example", "b", "c"], hostvars) == [
        {"name": "a", "address": "10.0.0.1"},
        {"name": "b", "address": "192.0.2.2"},
        {"name": "c", "address": "c"},
    ]
