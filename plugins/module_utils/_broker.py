# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Where a broker or result backend is, how to connect within a limit, and what its errors mean."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Backend, Broker
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
_NO_MASTER = ("MasterNotFoundError",)
_REFUSED_LOGIN = ("AuthenticationError", "AccessRefused", "NoPermissionError")
_REFUSED_LOGIN_TEXT = ("WRONGPASS", "NOAUTH", "ACCESS_REFUSED", "invalid username-password")


@dataclass(frozen=True)
class Endpoint:
    """A place where a server listens, and the URL it came from."""

    host: str
    port: int
    url: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def endpoints(server: Broker | Backend) -> list[Endpoint]:
    """The places named by the server's URL; none for a scheme that isn't TCP.

    Raises:
        CeleryOpsError: A URL can't be understood; the sentence doesn't quote it.
    """
    return [place for url in server.url.split(";") if (place := _endpoint(url.strip(), server))]


def reachable(server: Broker | Backend, seconds: float) -> Iterator[Endpoint]:
    """The places where something listens, in the order of the URL.

    The libraries' own errors name neither host nor cause, and they try again for many seconds.

    Args:
        server: The broker or result backend.
        seconds: How long to wait for all places together.

    Raises:
        BrokerError: Nothing listens anywhere.
    """
    places = endpoints(server)
    causes = []
    for place in places:
        try:
            socket.create_connection((place.host, place.port), seconds / len(places)).close()
        except OSError as error:
            causes.append(f"{place} {_cause(error)}")
        else:
            yield place
    if places and len(causes) == len(places):
        raise BrokerError(
            f"The {server.title} can't be reached ({'; '.join(causes)}): check that it runs and "
            f"listens there, that the firewall lets this host in, and the {server.title}'s URL in "
            f"{server.origin}."
        )


def transport_options(broker: Broker, seconds: float) -> dict[str, Any]:
    """The transport's options for a control connection whose steps take at most some seconds."""
    scheme = _scheme(broker.url)
    if not scheme.startswith(_REDIS_SCHEMES):
        return {**broker.options, "read_timeout": seconds, "write_timeout": seconds}
    own: dict[str, Any] = {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry_on_timeout": False,
        # Without it, a consumer gives back tasks that are unacknowledged for longer than its own
        # visibility_timeout, which needn't be the workers'.
        "ack_emulation": False,
        # A name set for the workers' connections must not be borne by this one.
        "client_name": "celeryops",
    }
    if scheme.startswith("sentinel"):
        own["sentinel_kwargs"] = _sentinel_options(broker, seconds)
    return {**broker.options, **own}


def _sentinel_options(broker: Broker, seconds: float) -> dict[str, Any]:
    """Options under which a Sentinel that is down or frozen leaves time to ask another one."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    given: Mapping[str, Any] = broker.options.get("sentinel_kwargs") or {}
    patience = seconds / (2 * max(2, len(endpoints(broker))))
    return {
        **given,
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        "retry": Retry(NoBackoff(), 0),
    }


def check_certificates(broker: Broker) -> None:
    """Check the files that TLS needs, since the libraries' error doesn't name a missing one.

    Raises:
        BrokerError: One can't be read.
    """
    options = broker.use_ssl if isinstance(broker.use_ssl, Mapping) else {}
    for name, value in options.items():
        if isinstance(value, str) and value.startswith("/"):
            try:
                Path(value).open("rb").close()
            except OSError as error:
                raise BrokerError(
                    f"{value}, which is `{name}` of `broker_use_ssl` in {broker.origin}, can't be "
                    f"read ({_cause(error)}): put the file there, readable for this user."
                ) from error


def explain(error: BaseException, server: Broker | Backend) -> BrokerError:
    """The sentence for an error of the messaging libraries; it holds no password."""
    where = _where(server)
    chain = list(_chain(error))
    text = " ".join(hide_passwords(str(error)).split()) or type(error).__name__
    if any(_has_name(each, _NO_MASTER) or "master_name" in str(each) for each in chain):
        return BrokerError(
            f"The Sentinels at {where} name no master ({text}): check `master_name` and "
            f"`sentinel_kwargs` (their password) in the transport options in {server.origin}, and "
            "that the master runs."
        )
    if any(_is_refused_login(each) for each in chain):
        return BrokerError(
            f"The {server.title} at {where} refuses the user name or the password: "
            f"check the {server.title}'s URL in {server.origin}."
        )
    if any(isinstance(each, ssl.SSLError) or "[SSL" in str(each) for each in chain):
        return BrokerError(
            f"The {server.title} at {where} and this client don't agree on TLS ({text}): check the "
            f"certificates that `broker_use_ssl` names in {server.origin}."
        )
    return BrokerError(
        f"The {server.title} at {where} failed ({text}): check its log and try again."
    )


def no_answer(server: Broker | Backend, seconds: float) -> BrokerError:
    """The sentence for a server that takes connections but doesn't answer."""
    return BrokerError(
        f"The {server.title} at {_where(server)} didn't answer within {seconds:.1f} s: "
        "check that it isn't frozen or overloaded."
    )


def _endpoint(url: str, server: Broker | Backend) -> Endpoint | None:
    flaw = CeleryOpsError(
        f"The {server.title}'s URL in {server.origin} isn't valid: it should read "
        "scheme://user:password@host:port/path, with the special characters of user and password "
        "percent-encoded (filter `celeryops.cluster.url_quote`)."
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


def _where(server: Broker | Backend) -> str:
    return " or ".join(str(place) for place in endpoints(server)) or _scheme(server.url)


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


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _has_name(error: BaseException, names: Collection[str]) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _is_refused_login(error: BaseException) -> bool:
    return _has_name(error, _REFUSED_LOGIN) or any(
        text in str(error) for text in _REFUSED_LOGIN_TEXT
    )
