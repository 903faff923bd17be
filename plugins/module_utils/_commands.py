# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The remote-control commands that may be sent, with their arguments.

Celery ignores an argument that it doesn't know (`pool_grow` with `size=4` grows by one), so that
they are checked here. `election` and `shutdown` are left out on purpose: the first crashes a
worker that is alone, and a worker that shuts down is only started again by its service manager.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_QUEUE_OPTIONS = ("exchange", "exchange_type", "routing_key", "durable", "queue_arguments")

# name: (arguments that must be given, arguments that may be given)
COMMANDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "active": ((), ()),
        "active_queues": ((), ()),
        "add_consumer": (("queue",), _QUEUE_OPTIONS),
        "autoscale": (("max", "min"), ()),
        "cancel_consumer": (("queue",), ()),
        "celeryops": ((), ()),
        "celeryops_limits": (("task_name",), ()),
        "celeryops_route": (("task_name",), ("queue",)),
        "clock": ((), ()),
        "conf": ((), ()),
        "disable_events": ((), ()),
        "enable_events": ((), ()),
        "ping": ((), ()),
        "pool_grow": (("n",), ()),
        "pool_restart": ((), ()),
        "pool_shrink": (("n",), ()),
        "query_task": (("ids",), ()),
        "rate_limit": (("task_name", "rate_limit"), ()),
        "registered": ((), ("taskinfoitems", "builtins")),
        "report": ((), ()),
        "reserved": ((), ()),
        "revoke": (("task_id",), ("terminate", "signal")),
        "revoke_by_stamped_headers": (("headers",), ("terminate", "signal")),
        "revoked": ((), ()),
        "scheduled": ((), ()),
        "stats": ((), ()),
        # An omitted limit would be taken off.
        "time_limit": (("task_name", "soft", "hard"), ()),
    }
)


def check_command(command: str, arguments: Mapping[str, Any]) -> None:
    """Check that a command may be sent with these arguments.

    Raises:
        ValueError: The command isn't in the table, or an argument is missing or unknown.
    """
    if command not in COMMANDS:
        raise ValueError(f"the command {command!r} is not one that may be sent")
    required, optional = COMMANDS[command]
    if missing := set(required) - set(arguments):
        raise ValueError(f"{command} lacks {sorted(missing)}")
    if unknown := set(arguments) - set(required) - set(optional):
        raise ValueError(f"{command} knows no {sorted(unknown)}")
