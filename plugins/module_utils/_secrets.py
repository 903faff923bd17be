# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Hiding passwords, keys and tokens in whatever leaves the collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"

# The user part is everything up to the last "@" of the word, so that an unquoted password with
# "@", "/", ":" or "#" in it is hidden as well. It stops before a further URL of a list.
_USER_PART = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>(?:(?![;,][a-z][a-z0-9+.-]*://)\S)*)@", re.IGNORECASE
)
_SECRET_PART = re.compile(r"passw|pwd|secret|token|credential|signature|dsn$", re.IGNORECASE)
_SECRET_WORDS = frozenset({"pass", "pw", "key", "keys", "apikey", "auth", "private", "passphrase"})
_HARMLESS_NAME = re.compile(r"routing_key$|key_?prefix$|^unacked(_\w+)?_key$", re.IGNORECASE)
# `name: value`, `name=value` and `'name': 'value'` inside of a text.
_PAIR = re.compile(
    r"""(?P<name>[A-Za-z_][\w.-]*)(?P<sign>["']?\s*[:=]\s*)"""
    r"""(?P<value>"[^"]*"|'[^']*'|[\[({].*|[^\s,;&"'\[({})\]]+)""",
    re.DOTALL,
)


def looks_secret(name: str) -> bool:
    """Whether a setting of this name is likely to hold a password, a key or a token."""
    if _HARMLESS_NAME.search(name):
        return False
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return bool(_SECRET_PART.search(name) or _SECRET_WORDS & set(re.split(r"[\W_]+", words)))


def hide_passwords(text: str) -> str:
    """Hide the password, or a user that stands alone like a key, in every URL of a text."""
    return _USER_PART.sub(_hide_user_part, text)


def hide_secrets(value: Any, numbers: bool = False, secret: bool = False) -> Any:
    """Copy a JSON-like value without its secrets.

    Args:
        value: Nested mappings and lists of strings, numbers, booleans and None.
        numbers: Whether a number under a secret's name is hidden too. It is for settings; counters
            by task name must stay, though a task may be called `refresh_token`.
        secret: Whether the value stands under a secret's name.
    """
    if isinstance(value, Mapping):
        return {
            name: hide_secrets(item, numbers, secret or looks_secret(str(name)))
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [hide_secrets(item, numbers, secret) for item in value]
    if isinstance(value, str):
        return HIDDEN if secret and value else _hide_in_text(value)
    if secret and numbers and isinstance(value, (int, float)) and not isinstance(value, bool):
        return HIDDEN
    return value


def _hide_user_part(match: re.Match[str]) -> str:
    user, colon, _password = match["user"].partition(":")
    return f"{match['scheme']}{user if colon else ''}{colon}{HIDDEN}@"


def _hide_in_text(text: str) -> str:
    return _PAIR.sub(_hide_pair, hide_passwords(text))


def _hide_pair(match: re.Match[str]) -> str:
    if looks_secret(match["name"]):
        return match["name"] + match["sign"] + HIDDEN
    # Such as `ValueError: password=…`.
    return match["name"] + match["sign"] + _PAIR.sub(_hide_pair, match["value"])
