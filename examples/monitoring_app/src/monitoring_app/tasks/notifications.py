"""Mail."""

from __future__ import annotations

import json
import re
import smtplib
from email.message import EmailMessage
from typing import TYPE_CHECKING

from monitoring_app import ledger
from monitoring_app.celery import app
from monitoring_app.settings import get_settings

if TYPE_CHECKING:
    from celery import Task

OUTBOX = "monitoring_app:outbox"
OUTBOX_LENGTH = 1000  # mails that are kept, the newest ones
SMTP_TIMEOUT = 10.0  # seconds

_ADDRESS = re.compile(r"[^\s@,;:<>\"]+@[^\s@,;:<>\"]+")


@app.task(bind=True, autoretry_for=(OSError,), max_retries=5, retry_backoff=True)
def send_email(self: Task, to: str, subject: str, body: str) -> str:
    """Send a mail to one address: "sent", or "recorded" in the outbox without MONITORING_SMTP_HOST.

    Fails with ValueError for an address or subject that would forge headers. The Message-ID is made
    of the task's id: should the task run twice, the receiver can tell that it is the same mail.
    """
    settings = get_settings()
    message = compose(settings.smtp_from, to, subject, body)
    if settings.smtp_host is None:
        _record(to, subject, body)
        return "recorded"
    message["Message-ID"] = f"<{self.request.id}@monitoring-app.invalid>"
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=SMTP_TIMEOUT) as smtp:
        smtp.send_message(message)
    return "sent"


def compose(sender: str, to: str, subject: str, body: str) -> EmailMessage:
    """Make the mail. ValueError if `to` is not one address, or `subject` not one printable line."""
    if not _ADDRESS.fullmatch(to):
        raise ValueError(f"{to!r} is not one mail address")
    if not subject.isprintable():
        raise ValueError("the subject is not one line of printable characters")
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message.set_content(body)
    return message


def _record(to: str, subject: str, body: str) -> None:
    client = ledger.client()
    client.rpush(OUTBOX, json.dumps({"to": to, "subject": subject, "body": body}))
    client.ltrim(OUTBOX, -OUTBOX_LENGTH, -1)
