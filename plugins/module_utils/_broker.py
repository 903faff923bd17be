# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Where the broker is, how to connect to it within a limit, and what its errors mean."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import (
    BrokerError,
    CeleryOpsError,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_passwords

_PORTS = {
    "amqp": 5672,
    "amqps": 5671,
    "pyamqp": 5672,
    "redis": 6379,
    "rediss": 6379,
    "sentinel": 26379,
}
_REDIS_SCHEMES = ("redis", "sentinel")
_REFUSED_LOGIN = ("AuthenticationError", "AccessRefused", "NoPermissionError")
_REFUSED_LOGIN_TEXT = ("WRONGPASS", "NOAUTH", "ACCESS_REFUSED", "invalid username-password")


@dataclass(frozen=True)
class Endpoint:
    """A place where the broker listens, and the URL it came from."""

    host: str
    port: int
    url: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def endpoints(broker: Broker) -> list[Endpoint]:
    """The places named by the broker's URL; none for a scheme that isn't TCP.

    Raises:
        CeleryOpsError: A URL can't be understood; the sentence doesn't quote it.
    """
    return [
        place for url in broker.url.split(";") if (place := _endpoint(url.strip(), broker.origin))
    ]


def reachable(broker: Broker, seconds: float) -> Endpoint | None:
    """The first place where something listens; None for a scheme that isn't TCP.

    The libraries' own errors name neither host nor cause, and they try again for many seconds.

    Raises:
        BrokerError: Nothing listens anywhere.
    """
    places = endpoints(broker)
    causes = []
    for place in places:
        try:
            with socket.create_connection((place.host, place.port), seconds / len(places)):
                return place
        except OSError as error:
            causes.append(f"{place} {_cause(error)}")
    if causes:
        raise BrokerError(
            f"The broker can't be reached ({'; '.join(causes)}): check that it runs and listens "
            f"there, that the firewall lets this host in, and the broker's URL in {broker.origin}."
        )
    return None


def transport_options(broker: Broker, seconds: float) -> dict[str, Any]:
    """The transport's options for a control connection whose steps take at most some seconds."""
    if not _scheme(broker.url).startswith(_REDIS_SCHEMES):
        return {**broker.options, "read_timeout": seconds, "write_timeout": seconds}
    own: Mapping[str, Any] = {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry_on_timeout": False,
        # Without it, a consumer gives back tasks that are unacknowledged for longer than its own
        # visibility_timeout, which needn't be the workers'.
        "ack_emulation": False,
        # How long a read blocks in the server; closing waits for its end (1 s by default).
        "polling_interval": 0.02,
        # A name set for the workers' connections must not be borne by this one.
        "client_name": "celeryops",
    }
    return {**broker.options, **own}


def explain(error: BaseException, broker: Broker) -> BrokerError:
    """The sentence for an error of the messaging libraries; it holds no password."""
    where = " or ".join(str(place) for place in endpoints(broker)) or _scheme(broker.url)
    if _is_refused_login(error):
        return BrokerError(
            f"The broker at {where} refuses the user name or the password: "
            f"check the broker's URL in {broker.origin}."
        )
    text = " ".join(hide_passwords(str(error)).split()) or type(error).__name__
    return BrokerError(f"The broker at {where} failed ({text}): check its log and try again.")


def no_answer(broker: Broker, seconds: float) -> BrokerError:
    """The sentence for a broker that takes connections but doesn't answer."""
    where = " or ".join(str(place) for place in endpoints(broker)) or _scheme(broker.url)
    return BrokerError(
        f"The broker at {where} didn't answer within {seconds:.1f} s: "
        "check that it isn't frozen or overloaded."
    )


def _endpoint(url: str, origin: str) -> Endpoint | None:
    flaw = CeleryOpsError(
        f"The broker's URL in {origin} isn't valid: it should read "
        "scheme://user:password@host:port/path, with the special characters of user and password "
        "percent-encoded (filter `urlencode`)."
    )
    scheme, colon, rest = url.partition("://")
    if not colon:
        raise flaw
    if "+" in scheme or scheme.lower() not in _PORTS:
        return None
    authority, slash, tail = rest.partition("/")
    # An unquoted "/", "?" or "#" ends the authority early, and the host would be the default one.
    if "@" in slash + tail or "?" in authority or "#" in authority:
        raise flaw
    try:
        parts = urlsplit(f"//{authority}")
        port = parts.port
    except ValueError:
        raise flaw from None
    scheme = scheme.lower()
    return Endpoint(parts.hostname or "localhost", port or _PORTS[scheme], url)


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _cause(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "has a name that doesn't resolve"
    if isinstance(error, ConnectionRefusedError):
        return "refuses the connection"
    if isinstance(error, TimeoutError):
        return "doesn't answer"
    return (error.strerror or str(error)).lower()


def _is_refused_login(error: BaseException | None) -> bool:
    while error is not None:
        names = {kind.__name__ for kind in type(error).__mro__}
        if names.intersection(_REFUSED_LOGIN):
            return True
        if any(text in str(error) for text in _REFUSED_LOGIN_TEXT):
            return True
        error = error.__cause__ or error.__context__
    return False
