from __future__ import annotations

import json
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest

from monitoring_app.tasks import notifications
from monitoring_app.tasks.notifications import OUTBOX, send_email


class FakeSmtp:
    """A mail server that keeps what it is given; it is out of order for the first connections."""

    sent: list[EmailMessage]
    outages: int

    def __init__(self, host: str, port: int, timeout: float) -> None:
        assert (host, port, timeout) == ("mail.test", 2525, notifications.SMTP_TIMEOUT)
        if type(self).outages:
            type(self).outages -= 1
            raise ConnectionRefusedError(111, "Connection refused")

    def __enter__(self) -> FakeSmtp:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def send_message(self, message: EmailMessage) -> None:
        self.sent.append(message)


@pytest.fixture
def smtp(configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> type[FakeSmtp]:
    configure(smtp_host="mail.test", smtp_port="2525", smtp_from="shop@example.org")
    fake = type("FakeSmtp", (FakeSmtp,), {"sent": [], "outages": 0})
    monkeypatch.setattr(smtplib, "SMTP", fake)
    return fake


def test_without_a_mail_server_it_is_recorded(redis_lists: dict[str, list[bytes]]) -> None:
    assert send_email("a@example.org", "Shipped", "On its way.") == "recorded"
    mail = {"to": "a@example.org", "subject": "Shipped", "body": "On its way."}
    assert [json.loads(entry) for entry in redis_lists[OUTBOX]] == [mail]


def test_the_outbox_does_not_grow_without_end(
    redis_lists: dict[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "OUTBOX_LENGTH", 2)
    for number in range(4):
        send_email("a@example.org", str(number), "")
    assert [json.loads(entry)["subject"] for entry in redis_lists[OUTBOX]] == ["2", "3"]


def test_with_a_mail_server_it_is_sent(smtp: type[FakeSmtp]) -> None:
    sent = send_email.apply(("a@example.org", "Grüße", "Hello."), task_id="mail-1")
    assert sent.get() == "sent"
    (mail,) = smtp.sent
    assert mail["From"] == "shop@example.org"
    assert mail["To"] == "a@example.org"
    assert mail["Subject"] == "Grüße"
    assert mail["Message-ID"] == "<mail-1@monitoring-app.invalid>"
    assert mail.get_content() == "Hello.\n"


def test_an_outage_is_sat_out(smtp: type[FakeSmtp]) -> None:
    smtp.outages = 2
    assert send_email.apply(("a@example.org", "Hello", "")).get() == "sent"
    assert len(smtp.sent) == 1


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("a@example.org\nBcc: b@example.org", "Hello"),
        ("a@example.org, b@example.org", "Hello"),
        ("nobody", "Hello"),
        ("", "Hello"),
        ("a@example.org", "Hello\r\nBcc: b@example.org"),
    ],
)
def test_forged_headers_are_refused(
    redis_lists: dict[str, list[bytes]], to: str, subject: str
) -> None:
    with pytest.raises(ValueError, match="is not one"):
        send_email(to, subject, "")
    assert not redis_lists
