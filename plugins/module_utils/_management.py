# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What only RabbitMQ's management API tells."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError

# Without this, the number of messages is up to 10 s old, and missing for a new queue.
FRESH = "?disable_stats=true&enable_queue_totals=true"


class Management:
    """Reads from the management API of one virtual host."""

    def __init__(self, broker: Broker, vhost: str, seconds: float) -> None:
        """Prepare.

        Args:
            broker: A broker with a management API.
            vhost: The virtual host, as the broker's URL names it.
            seconds: How long one answer may take.
        """
        parts = urlsplit((broker.management or "").rstrip("/").removesuffix("/api"))
        self._place = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = f":{parts.port}" if parts.port else ""
        self._base = f"{parts.scheme}://{host}{port}{parts.path}/api"
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self._login = "Basic " + base64.b64encode(login.encode()).decode()
        self._origin = broker.origin
        self._vhost = vhost
        self._seconds = seconds
        # A proxy of the environment is for the world outside.
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=_context(broker)))

    def queue(self, name: str) -> Mapping[str, Any] | None:
        """A queue with its type, arguments and totals; None where there is none of this name.

        Raises:
            BrokerError: The API can't be reached, refuses the login or fails.
        """
        found = self._get(f"queues/{quote(self._vhost, '')}/{quote(name, '')}{FRESH}")
        return found if isinstance(found, dict) else None

    def queues(self) -> list[str]:
        """The names of all queues.

        Raises:
            BrokerError: As for `queue`.
        """
        found = self._get(f"queues/{quote(self._vhost, '')}{FRESH}")
        return [queue["name"] for queue in found or ()]

    def bindings(self, name: str) -> list[tuple[str, str]]:
        """The exchange and the routing key of each binding of a queue.

        Raises:
            BrokerError: As for `queue`.
        """
        path = f"queues/{quote(self._vhost, '')}/{quote(name, '')}/bindings"
        return [(found["source"], found["routing_key"]) for found in self._get(path) or ()]

    def _get(self, path: str) -> Any:
        request = Request(f"{self._base}/{path}", headers={"Authorization": self._login})
        try:
            with self._opener.open(request, timeout=self._seconds) as answer:
                return json.load(answer)
        except HTTPError as error:
            if error.code == 404:
                return None
            raise BrokerError(self._sentence(_REFUSED.get(error.code, str(error)))) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise BrokerError(self._sentence(f"can't be read ({reason})")) from error

    def _sentence(self, what: str) -> str:
        return (
            f"RabbitMQ's management API at {self._place} {what}: "
            f"check its URL and its user in {self._origin}."
        )


_REFUSED = {
    401: "refuses the user name or the password, or the user lacks the tag `management`",
    403: "refuses the user, who needs the tag `management` and a permission in the virtual host",
}


def _context(broker: Broker) -> ssl.SSLContext:
    """Trust what the broker's own connections trust."""
    settings = broker.use_ssl if isinstance(broker.use_ssl, Mapping) else {}
    return ssl.create_default_context(cafile=settings.get("ca_certs"))
