# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""How the body of a control message is written and read, signed or not.

Nothing is registered with the messaging library, whose table of serializers is one for the whole
process: two clients in a process may use different keys, or none.
"""

from __future__ import annotations

from glob import glob
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Security,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError

# What Celery calls a signed message; the messaging library itself means unknown data by it.
SIGNED_TYPE = "application/data"
_JSON_TYPE = "application/json"


class RefusedError(Exception):
    """A reply that isn't accepted; the text says in a clause why."""


class Codec(Protocol):
    """Writes commands and reads replies.

    Attributes:
        manner: How commands are written, for sentences.
    """

    manner: str

    def encode(self, body: Any) -> tuple[str, str, Any]:
        """The content type, the encoding and the data for a message with this body."""

    def decode(self, message: Any) -> Any:
        """The body of a message.

        Raises:
            RefusedError: It isn't of an accepted kind, or is malformed.
        """


def codec(broker: Broker) -> Codec:
    """What writes and reads the messages on a broker.

    Raises:
        CeleryOpsError: A file that is needed for signing is missing or unusable.
    """
    if broker.security is not None:
        return _Signed(broker.security, broker.origin)
    if broker.serializer == "auth":
        raise CeleryOpsError(
            f"The app signs its messages (serializer `auth`), but {broker.origin} doesn't name "
            "the key: run the playbook celeryops.cluster.site to write it anew."
        )
    return _Plain(broker)


class _Plain:
    def __init__(self, broker: Broker) -> None:
        from kombu.serialization import dumps, loads, prepare_accept_content

        self._dumps, self._loads = dumps, loads
        self._serializer = broker.serializer
        self._accepted = prepare_accept_content(list(broker.accept))
        self.manner = f"unsigned, as {broker.serializer}"

    def encode(self, body: Any) -> tuple[str, str, Any]:
        content_type, encoding, data = self._dumps(body, serializer=self._serializer)
        return content_type, encoding, data

    def decode(self, message: Any) -> Any:
        if message.content_type == SIGNED_TYPE:
            raise RefusedError(
                "they are signed: give `app`, whose control file names the key, instead of "
                "`broker_url`"
            )
        if message.content_type not in self._accepted:
            raise RefusedError(
                f"they are of type {message.content_type}: add its serializer to the app's "
                "`accept_content`"
            )
        try:
            return self._loads(
                message.body, message.content_type, message.content_encoding, self._accepted
            )
        except Exception as error:
            raise RefusedError("they are malformed: check the versions of Celery") from error


class _Signed:
    def __init__(self, security: Security, origin: str) -> None:
        self._serializer = _serializer(security, origin)
        self._store = security.store
        self.manner = f"signed with {security.certificate}"

    def encode(self, body: Any) -> tuple[str, str, Any]:
        return SIGNED_TYPE, "utf-8", self._serializer.serialize(body)

    def decode(self, message: Any) -> Any:
        try:
            if message.content_type == SIGNED_TYPE:
                return self._serializer.deserialize(message.body)
        except Exception as error:
            cause: Exception | None = error
        else:
            cause = None
        raise RefusedError(
            f"they aren't signed by a certificate of {self._store}: check that all workers sign, "
            "and that the store holds their certificates"
        ) from cause


def _serializer(security: Security, origin: str) -> Any:
    try:
        from celery.security.certificate import Certificate, FSCertStore
        from celery.security.key import PrivateKey
        from celery.security.serialization import SecureSerializer
    except Exception as error:
        raise CeleryOpsError(
            f"The app signs its messages, but the library for it is missing ({error}): install "
            "celery[auth] in its environment."
        ) from error

    class JsonOnly(SecureSerializer):
        """Celery's own obeys the type of the content, which isn't signed, even if it is pickle."""

        def _unpack(self, payload: Any, *arguments: Any) -> Any:
            fields = super()._unpack(payload, *arguments)
            if fields["content_type"] != _JSON_TYPE:
                raise ValueError(f"signed content of type {fields['content_type']}")
            return fields

    if not glob(security.store):  # noqa: PTH207
        raise CeleryOpsError(
            f"No certificate matches {security.store}, the store named in {origin}: put the "
            "workers' certificates there."
        )
    path = security.key
    try:
        key = PrivateKey(Path(path).read_text(encoding="utf-8"))
        path = security.certificate
        certificate = Certificate(Path(path).read_text(encoding="utf-8"))
        if certificate.has_expired():
            raise ValueError("the certificate has expired")
        path = security.store
        return JsonOnly(key, certificate, FSCertStore(path), security.digest)
    except Exception as error:
        cause = getattr(error, "strerror", None) or error
        raise CeleryOpsError(
            f"The messages can't be signed with {path}, named in {origin} ({cause}): check that "
            "it is there, readable for this user, and valid."
        ) from error
