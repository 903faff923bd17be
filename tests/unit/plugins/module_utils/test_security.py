# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Security,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._security import (
    Codec,
    RefusedError,
    codec,
)

pytest.importorskip("celery")
pytest.importorskip("cryptography")

BODY = {"a@h": {"ok": "pong"}}


def message(content_type: str, encoding: str, body: Any) -> Any:
    return SimpleNamespace(content_type=content_type, content_encoding=encoding, body=body)


def sent(by: Codec, body: Any = BODY) -> Any:
    return message(*by.encode(body))


def test_what_is_written_is_read() -> None:
    plain = codec(Broker("redis://b", "the test"))
    assert plain.decode(sent(plain)) == BODY
    assert plain.manner == "unsigned, as json"


@pytest.mark.parametrize(
    ("received", "reason"),
    [
        (("application/data", "utf-8", b"..."), "they are signed: give `app`"),
        (("application/x-python-serialize", "binary", pickle.dumps(BODY)), "python-serialize"),
        (("application/text", "utf-8", "pong"), "type application/text"),
        ((None, None, b"{}"), "type None"),
        (("application/json", "utf-8", b"{"), "malformed"),
    ],
)
def test_what_is_not_accepted(received: tuple[Any, Any, Any], reason: str) -> None:
    plain = codec(Broker("redis://b", "the test"))
    with pytest.raises(RefusedError, match=reason):
        plain.decode(message(*received))


def test_a_key_that_is_nowhere() -> None:
    with pytest.raises(CeleryOpsError, match=r"serializer `auth`.*doesn't name the key"):
        codec(Broker("redis://b", "the file", serializer="auth", accept=("auth",)))


def signer(folder: Path, name: str, store: str = "store", days: int = 1) -> Security:
    """A key, and its certificate in a store."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    (folder / store).mkdir(exist_ok=True)
    paths = folder / f"{name}.key", folder / store / f"{name}.crt"
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    paths[1].write_bytes(certificate.public_bytes(pem))
    return Security(str(paths[0]), str(paths[1]), str(folder / store / "*.crt"))


def signing(security: Security) -> Codec:
    return codec(
        Broker("redis://b", "the file", serializer="auth", accept=("auth",), security=security)
    )


def test_signed_messages(tmp_path: Path) -> None:
    worker = signing(signer(tmp_path, "worker"))
    operator = signing(signer(tmp_path, "operator"))
    # The store is read when the codec is made: the first one doesn't know the second.
    assert operator.decode(sent(worker)) == BODY
    assert operator.manner.startswith("signed with ")
    with pytest.raises(RefusedError, match="aren't signed by a certificate of"):
        worker.decode(sent(operator))


@pytest.mark.parametrize(
    "received",
    [
        ("application/json", "utf-8", b"{}"),
        ("application/data", "utf-8", b"{}"),
        ("application/data", "utf-8", b"AAAB"),
        ("application/text", "utf-8", "pong"),
    ],
)
def test_what_is_not_signed(tmp_path: Path, received: tuple[str, str, Any]) -> None:
    operator = signing(signer(tmp_path, "operator"))
    with pytest.raises(RefusedError, match="aren't signed"):
        operator.decode(message(*received))


def test_the_type_of_signed_content_is_not_obeyed(tmp_path: Path) -> None:
    """The signature covers the content and not its type, which somebody else may write."""
    from celery.security.serialization import DEFAULT_SEPARATOR
    from celery.utils.serialization import b64decode, b64encode

    operator = signing(signer(tmp_path, "operator"))
    original = sent(operator)
    fields = b64decode(original.body).split(DEFAULT_SEPARATOR, maxsplit=4)
    fields[2] = b"application/x-python-serialize"
    original.body = b64encode(DEFAULT_SEPARATOR.join(fields))
    with pytest.raises(RefusedError) as caught:
        operator.decode(original)
    assert "x-python-serialize" in str(caught.value.__cause__)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    good = signer(tmp_path, "operator")
    expired = signer(tmp_path, "old", store="old", days=-1)
    broken = tmp_path / "broken"
    broken.write_text("hunter2", encoding="utf-8")
    for security, sentence in [
        (replace(good, key="/nowhere"), r"with /nowhere, named in the file \(No such file"),
        (replace(good, key=str(broken)), r"with .*/broken, named in the file"),
        (replace(good, certificate="/nowhere"), "with /nowhere, named in the file"),
        (replace(good, certificate=expired.certificate), r"old\.crt.*has expired"),
        (replace(good, store=expired.store), r"/old/\*\.crt, named in the file \(.*Expired"),
        (replace(good, store="/nowhere/*"), r"No certificate matches /nowhere/\*"),
    ]:
        with pytest.raises(CeleryOpsError, match=sentence) as caught:
            signing(security)
        assert "hunter2" not in str(caught.value)
