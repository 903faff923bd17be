# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""How far this host gets on its way to a broker or result backend: name, port, login."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from ansible_collections.celeryops.cluster.plugins.module_utils._broker import (
    Endpoint,
    explain,
    no_answer,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._client import (
    CONNECT_SECONDS,
    in_thread,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Backend, Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor import Address, Place
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._link import connect
from ansible_collections.celeryops.cluster.plugins.module_utils._results import Results

HOSTS_FILE = Path("/etc/hosts")
# A host in the same network answers within milliseconds, and lost packets are sent again after 1 s.
PORT_SECONDS = 1.5
# Of a name with many addresses so many are tried.
_MOST_ADDRESSES = 8

Remaining = Callable[[], float]


def reach(
    server: Broker | Backend,
    place: Endpoint,
    remaining: Remaining,
    hosts_file: Path = HOSTS_FILE,
) -> Place:
    """Look up a place of a server, and try what listens at each of its addresses."""
    entries = _hosts_entries(place.host, hosts_file)
    addresses = tuple(
        Address(
            address,
            address in entries,
            _fault(address, place.port, min(PORT_SECONDS, remaining())),
        )
        for address in _addresses(place.host, min(CONNECT_SECONDS, remaining()))
    )
    return Place(server.title, server.origin, place.host, place.port, addresses)


def login_fault(server: Broker | Backend, remaining: Remaining) -> CeleryOpsError | None:
    """Why a client can't log in to a server that listens; None if it can."""
    if isinstance(server, Backend):
        try:
            Results(server, remaining).read([str(uuid4())])
        except CeleryOpsError as error:
            return error
        return None
    seconds = min(CONNECT_SECONDS, remaining())
    future = in_thread(lambda: connect(server, seconds).release(), seconds)
    if not future.done():
        return no_answer(server, seconds)
    fault = future.exception()
    if fault is None or isinstance(fault, CeleryOpsError):
        return fault
    return explain(fault, server)


def _addresses(host: str, seconds: float) -> list[str]:
    """The addresses of a name; none if it doesn't resolve, or not in time."""
    # The look-up of names honours no time-out.
    future = in_thread(lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM), seconds)
    if not future.done() or future.exception():
        return []
    found = dict.fromkeys(str(sockaddr[0]) for *_kind, sockaddr in future.result())
    return list(found)[:_MOST_ADDRESSES]


def _hosts_entries(host: str, hosts_file: Path) -> set[str]:
    """The addresses that the hosts file gives to a name."""
    if not hosts_file.is_file():
        return set()
    text = hosts_file.read_text("utf-8", "replace")
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return {words[0] for words in lines if host.lower() in map(str.lower, words[1:])}


def _fault(address: str, port: int, seconds: float) -> str | None:
    try:
        socket.create_connection((address, port), max(0.1, seconds)).close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silent"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None
