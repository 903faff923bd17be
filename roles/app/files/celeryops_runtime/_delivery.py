"""The ways on which an alert leaves the host."""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Literal, Protocol
from urllib.request import HTTPRedirectHandler, Request, build_opener

# A subject of one line that every mail program shows.
SUBJECT_LENGTH = 150


class Channel(Protocol):
    """What carries alerts; `send` raises what goes wrong."""

    name: str

    def send(self, alert: Mapping[str, Any], timeout: float) -> None: ...


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would repeat the request as a GET, with its headers, somewhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Webhook:
    """Posts alerts as JSON; chat systems show their `text`."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    name = "webhook"

    def send(self, alert: Mapping[str, Any], timeout: float) -> None:
        headers = {"Content-Type": "application/json", **self.headers}
        request = Request(self.url, json.dumps(alert).encode(), headers, method="POST")
        with build_opener(_NoRedirect).open(request, timeout=timeout):
            pass


@dataclass(frozen=True)
class Mail:
    """Sends alerts to a mail server."""

    host: str
    sender: str
    recipients: Sequence[str]
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    name = "mail"

    def send(self, alert: Mapping[str, Any], timeout: float) -> None:
        with self._connection(timeout) as server:
            if self.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self.user:
                server.login(self.user, self.password)
            server.send_message(self.message(alert))

    def message(self, alert: Mapping[str, Any]) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = " ".join(alert["text"].split())[:SUBJECT_LENGTH]
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        lines = [f"{name}: {value}" for name, value in alert.items() if name != "traceback"]
        message.set_content("\n".join([*lines, "", str(alert.get("traceback") or "")]))
        return message

    def _connection(self, timeout: float) -> smtplib.SMTP:
        if self.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=timeout, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=timeout)
