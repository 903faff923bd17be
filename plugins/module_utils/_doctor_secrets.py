# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Taking all secrets of an app out of what is told of its hosts.

Beside what looks like a secret, such as the password in a URL, every value is taken out that the
app's own files hold as one, wherever it appears.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import CONFIGURATION
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import (
    HIDDEN,
    hide_secrets,
    looks_secret,
)

# A shorter value would be found inside of words that have nothing to do with it.
_SHORTEST = 6
_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?:(?![;,][a-z][a-z0-9+.-]*://)\S)+", re.IGNORECASE)
_ASSIGNMENT = re.compile(r'^\s*(?:export\s+)?([A-Za-z_]\w*)=(?:"((?:[^"\\]|\\.)*)"|(.*?))\s*$')
_PASSWORD_LINE = re.compile(r"^\s*(?:requirepass|masterauth)\s+(.+?)\s*$", re.MULTILINE)
_REDIS = Path("/etc/redis/celeryops.conf")


class Redactor:
    """Takes secrets out of JSON-like values."""

    def __init__(self, secrets: Collection[str]) -> None:
        """Prepare for the secrets, and for the forms that URLs, JSON and Python give them."""
        forms = {form for secret in secrets for form in _forms(secret)}
        known = sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def clean(self, value: Any) -> Any:
        """Copy a value without secrets."""
        return hide_secrets(self._without_known(value), numbers=True)

    def _without_known(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                self._without_known(name): self._without_known(item) for name, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._without_known(item) for item in value]
        if isinstance(value, str) and self._known:
            return self._known.sub(HIDDEN, value)
        return value


def known_secrets(app: str, configuration: Path = CONFIGURATION, redis: Path = _REDIS) -> set[str]:
    """The secrets that the files of an app hold on this host."""
    found: set[str] = set()
    for path in sorted((configuration / app).rglob("*")):
        if path.suffix == ".env":
            found.update(_of_environment(_text(path)))
        elif path.suffix == ".json":
            found.update(_of_document(_json(path), secret=False))
        elif path.suffix == ".conf":
            found.update(_of_text(_text(path), secret=False))
    for password in _PASSWORD_LINE.findall(_text(redis)):
        found.add(str(_json_text(password)) if password.startswith('"') else password)
    return found


def documents(app: str, configuration: Path = CONFIGURATION) -> dict[str, Any]:
    """What the control file and the settings of an app hold, with their secrets, by name."""
    paths = [configuration / app / name for name in ("control.json", "settings.json")]
    return {path.name: _json(path) for path in paths if path.is_file()}


def worker_broker_url(app: str, configuration: Path = CONFIGURATION) -> tuple[str, str | None]:
    """The file of the workers' environment, and the broker's URL in it, if there is one."""
    path = configuration / app / "worker.env"
    return str(path), dict(_variables(_text(path))).get("CELERY_BROKER_URL")


def _of_environment(text: str) -> Iterator[str]:
    for name, value in _variables(text):
        yield from _of_text(value, looks_secret(name))


def _variables(text: str) -> Iterator[tuple[str, str]]:
    """The variables of an EnvironmentFile= of systemd."""
    for match in filter(None, map(_ASSIGNMENT.match, text.splitlines())):
        name, quoted, plain = match.groups()
        yield name, re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain


def _of_document(value: Any, secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _of_document(item, secret or looks_secret(str(name)))
    elif isinstance(value, list):
        for item in value:
            yield from _of_document(item, secret)
    elif isinstance(value, str):
        yield from _of_text(value, secret)


def _of_text(text: str, secret: bool) -> Iterator[str]:
    """The secrets in a value: all of it under a secret's name, and what URLs in it hold."""
    # The path of a key is none.
    if secret and not Path(text).is_absolute():
        yield text
        # Such as Flower's `user:password,user:password`.
        yield from (pair.partition(":")[2] for pair in text.split(",") if ":" in pair)
    for url in _URL.findall(text):
        yield from _of_url(url)


def _of_url(url: str) -> Iterator[str]:
    authority, _slash, rest = url.partition("://")[2].partition("/")
    user, at, _host = authority.rpartition("@")
    if at:
        password = user.partition(":")[2] or user
        yield password
        yield unquote(password)
    # A web hook is secret as a whole: whoever knows its path may use it.
    if url.startswith("http") and rest:
        yield from filter(_is_key, urlsplit(f"//{authority}/{rest}").path.split("/"))


def _is_key(part: str) -> bool:
    """Whether a part of a path looks like a key rather than a word."""
    return len(part) >= 16 and bool(re.search(r"\d", part)) and bool(re.search(r"[A-Za-z]", part))


def _forms(secret: str) -> set[str]:
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _json(path: Path) -> Any:
    return _json_text(_text(path))


def _json_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
