# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: names that are kept in the hosts file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any


def hosts_entries(results: Iterable[Mapping[str, Any]], seed: str) -> list[str]:
    """The lines of a hosts file for what was looked up in a loop over names and addresses.

    Clients take the first address of a name that answers. With another `seed` the addresses of a
    name come in another order, so that the connections of many hosts spread over them. A name
    that was looked up itself is known already and has no line.
    """
    found: dict[str, set[str]] = {}
    for result in results:
        known = result["ansible_facts"]["getent_ahosts"]
        addresses = {address for address, sockets in known.items() if sockets}
        name = result["item"]["name"]
        if name != result["item"]["address"]:
            found.setdefault(name, set()).update(addresses)
    return [
        f"{address} {name}"
        for name in sorted(found)
        for address in sorted(found[name], key=lambda address: _place(seed, address))
    ]


def host_addresses(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, str]]:
    """How the cluster's hosts reach these: the first part of each one's name, and its address."""
    return [
        {"name": host.partition(".")[0], "address": str(_address(host, hostvars[host]))}
        for host in hosts
    ]


def _address(host: str, variables: Mapping[str, Any]) -> Any:
    return variables.get("celery_address", variables.get("ansible_host", host))


def _place(seed: str, address: str) -> bytes:
    return sha256(f"{seed} {address}".encode()).digest()
