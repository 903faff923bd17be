# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: broker and backend URLs from their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

_PORTS = {
    "amqp": 5672,
    "amqps": 5671,
    "postgresql": 5432,
    "pyamqp": 5672,
    "redis": 6379,
    "rediss": 6379,
    "sentinel": 26379,
}


def quote_part(value: object) -> str:
    """A part of a URL with all that isn't a letter, a digit or one of _.-~ percent-encoded."""
    return quote(str(value), safe="")


def build_url(
    host: str | Sequence[str],
    port: int | None = None,
    scheme: str = "redis",
    username: str = "",
    password: str = "",
    path: str | int = "",
    query: Mapping[str, Any] | None = None,
) -> str:
    """The URL of a broker or backend, each part quoted: a password may hold any character.

    Args:
        host: One host or several, each with a port of its own or not; IPv6 addresses may stand in
            brackets.
        port: The port of hosts without one; by default the scheme's.
        scheme: The scheme, as Celery wants it.
        username: The user.
        password: The password.
        path: The database or virtual host.
        query: What follows the question mark.

    Raises:
        ValueError: There is no host, or no port for one; the sentence quotes no part.
    """
    hosts = [host] if isinstance(host, str) else list(host)
    if not all(hosts) or not hosts:
        raise ValueError("broker_url: `host` must be the name of a host, or a list of such names.")
    places = [_place(each, port, scheme) for each in hosts]
    user = ""
    if username or password:
        user = f"{quote_part(username)}:{quote_part(password)}@"
    tail = quote_part(path)
    if _kind(scheme) == "postgresql" and len(places) > 1:
        # Its driver knows several hosts, and takes them from the query alone.
        pairs = [*((query or {}).items()), *(("host", place) for place in places)]
        return f"{scheme}://{user}/{tail}?{urlencode(pairs, safe='[]:')}"
    extra = f"?{urlencode(query)}" if query else ""
    return ";".join(f"{scheme}://{user}{place}/{tail}{extra}" for place in places)


def _place(host: str, port: int | None, scheme: str) -> str:
    name, own = host, ""
    if host.startswith("["):
        name, _bracket, own = host[1:].partition("]")
        own = own.removeprefix(":")
    elif host.count(":") == 1:
        name, _colon, own = host.partition(":")
    number = own or port or _PORTS.get(_kind(scheme))
    if not number:
        raise ValueError(f"broker_url: the scheme {scheme} has no usual port: give `port`.")
    return f"[{name}]:{number}" if ":" in name else f"{name}:{number}"


def _kind(scheme: str) -> str:
    """The scheme without what Celery and SQLAlchemy add: db+postgresql+psycopg is postgresql."""
    return scheme.removeprefix("db+").partition("+")[0]
