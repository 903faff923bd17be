# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import (
    HIDDEN,
    hide_passwords,
    hide_secrets,
    looks_secret,
)

PASSWORDS = ["p@w", "p/w", "p:w", "p%w", "p#w", "@/:%#", "a@b/c:d%e#f", "p?w", "://", "é;x"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("user", ["", "worker"])
@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("frame", ["{}", "before {} after", "'{}',", "a {};amqp://u:x@h2/v"])
def test_no_part_of_a_password_is_left(password: str, user: str, quoted: bool, frame: str) -> None:
    shown = quote(password, safe="") if quoted else password
    text = hide_passwords(frame.format(f"redis://{user}:{shown}@broker:6379/0"))
    assert f"redis://{user}:{HIDDEN}@broker:6379/0" in text
    assert text == frame.format(f"redis://{user}:{HIDDEN}@broker:6379/0").replace(":x@", ":***@")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("https://abcdef@sentry.example/1", "https://***@sentry.example/1"),
        ("sentinel://:a@h1:1;sentinel://:b@h2:2", "sentinel://:***@h1:1;sentinel://:***@h2:2"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("write to me@example.org", "write to me@example.org"),
        ("", ""),
    ],
)
def test_urls(text: str, hidden: str) -> None:
    assert hide_passwords(text) == hidden


SECRET_NAMES = """
password redis_password PASSWD db_pwd secret SECRET_KEY my-secrets apiKey stripe_key token
access_tokens sentry_dsn auth credentials private
"""
OTHER_NAMES = """
routing_key task_default_routing_key global_keyprefix key_prefix unacked_key unacked_index_key
monkey passive author keyboard bypass timeout
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_other_names(name: str) -> None:
    assert not looks_secret(name)


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        ({"password": "x", "size": 3}, {"password": HIDDEN, "size": 3}),
        ({"keys": {"a": ["x", {"b": "y"}]}}, {"keys": {"a": [HIDDEN, {"b": HIDDEN}]}}),
        ({"token": None, "secret": "", "key": True}, {"token": None, "secret": "", "key": True}),
        ({"urls": ("amqp://u:p@h", "x")}, {"urls": ["amqp://u:***@h", "x"]}),
        ("host=db password=abc user=u", "host=db password=*** user=u"),
        ("{'password': 'a b', 'n': 1}", "{'password': ***, 'n': 1}"),
        ('{"api_key": "a\'b"}', '{"api_key": ***}'),
        ("x?token=abc&y=1", "x?token=***&y=1"),
        ("tokens: ['a', 'b']\nnext: 1", "tokens: ***"),
        ("routing_key: default", "routing_key: default"),
        ("ValueError: password=abc b", "ValueError: password=*** b"),
    ],
)
def test_nested_values_and_texts(value: Any, hidden: Any) -> None:
    assert hide_secrets(value) == hidden


def test_numbers_are_hidden_in_settings_only() -> None:
    assert hide_secrets({"refresh_token": 5}) == {"refresh_token": 5}
    assert hide_secrets({"pin_secret": 5, "pi_key": 0.5}, numbers=True) == {
        "pin_secret": HIDDEN,
        "pi_key": HIDDEN,
    }
