# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._commands import check_command


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("ping", {}), ("pool_grow", {"n": 2}), ("add_consumer", {"queue": "q", "exchange": "x"})],
)
def test_commands_that_may_be_sent(command: str, arguments: dict[str, Any]) -> None:
    check_command(command, arguments)


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("pool_grow", {"size": 2, "n": 1}, r"knows no \['size'\]"),
        ("pool_grow", {}, r"lacks \['n'\]"),
        ("autoscale", {"max": 2}, r"lacks \['min'\]"),
        ("pool_grwo", {"n": 1}, "not one that may be sent"),
    ],
)
def test_mistakes(command: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_command(command, arguments)


@pytest.mark.parametrize("command", ["election", "shutdown"])
def test_dangerous_commands_are_never_sent(command: str) -> None:
    with pytest.raises(ValueError, match="not one that may be sent"):
        check_command(command, {})
