# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what a RabbitMQ cluster holds for one application."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ROLES = ("worker", "producer", "control", "monitor")
DEAD_LETTERS = "celeryops.dead"
# How often a task may come back unacknowledged before it is put aside; RabbitMQ's own limit of 20
# would take a task that was only handed back by workers that stopped.
DELIVERY_LIMIT = 100

# A pattern that fits nothing, and one for all but the server's own exchanges; through the nameless
# one, amq.default, a message reaches every queue, and so every worker's control queue.
_NOTHING = "^$"
_OWN = r"^(?!amq\.).*$"
_ANYTHING = ".*"
# The exchanges in which tasks with an ETA wait.
_DELAYED = r"celery_delayed_\d+"
# What names an object, by the list that it stands in.
_KEYS = {
    "vhosts": ("name",),
    "users": ("name",),
    "permissions": ("user", "vhost"),
    "policies": ("vhost", "name"),
    "queues": ("vhost", "name"),
}


def missing_definitions(
    exported: Mapping[str, Any],
    vhost: str,
    queues: Iterable[str],
    passwords: Mapping[str, str],
    consumer_timeout: int,
) -> dict[str, list[dict[str, Any]]]:
    """Which of an application's definitions a cluster lacks or has otherwise, ready for import.

    `exported` is what the cluster has. `passwords` has one for each of ROLES. A worker may keep a
    task for `consumer_timeout` seconds. The settings of a virtual host that exists stay: another
    default type of its queues would make the declarations of existing ones fail.
    """
    wanted = _definitions(
        vhost, sorted(set(queues)), passwords, consumer_timeout, _version(exported)
    )
    existing = {kind: _by_key(kind, exported.get(kind, [])) for kind in wanted}
    return {
        kind: [
            item
            for item in items
            if not _is_there(kind, item, existing[kind].get(_key(kind, item)))
        ]
        for kind, items in wanted.items()
    }


def password_hash(user: str, password: str) -> str:
    """RabbitMQ's hash of a password; the salt follows from the user, so that it stays the same."""
    salt = hashlib.sha256(user.encode()).digest()[:4]
    return b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def user_name(vhost: str, role: str) -> str:
    """The user of an application for one of ROLES; users are the whole cluster's."""
    return f"{vhost}.{role}"


def _definitions(
    vhost: str,
    queues: Sequence[str],
    passwords: Mapping[str, str],
    consumer_timeout: int,
    version: tuple[int, int],
) -> dict[str, list[dict[str, Any]]]:
    return {
        "vhosts": [{"name": vhost, "metadata": {"default_queue_type": "quorum"}}],
        "users": [_user(vhost, role, passwords[role]) for role in ROLES],
        "permissions": [_permission(vhost, role, queues) for role in ROLES],
        "policies": [_policy(vhost, consumer_timeout, version)],
        "queues": [
            {
                "name": DEAD_LETTERS,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": {"x-queue-type": "quorum"},
            }
        ],
    }


def _user(vhost: str, role: str, password: str) -> dict[str, Any]:
    name = user_name(vhost, role)
    return {
        "name": name,
        "password_hash": password_hash(name, password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["monitoring"] if role == "monitor" else [],
    }


def _permission(vhost: str, role: str, queues: Sequence[str]) -> dict[str, Any]:
    tasks = "|".join(re.escape(queue) for queue in queues)
    # A producer declares queues and exchanges of the same names, and binds them to each other.
    producer = f"^({tasks}|{_DELAYED})$"
    configure, write, read = {
        "worker": (_OWN, _ANYTHING, _ANYTHING),
        "producer": (producer, producer, f"^({tasks})$"),
        "control": (_OWN, _OWN, _OWN),
        # Without any entry it would not see the virtual host's queues.
        "monitor": (_NOTHING, _NOTHING, _NOTHING),
    }[role]
    return {
        "user": user_name(vhost, role),
        "vhost": vhost,
        "configure": configure,
        "write": write,
        "read": read,
    }


def _policy(vhost: str, consumer_timeout: int, version: tuple[int, int]) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "dead-letter-exchange": "",
        "dead-letter-routing-key": DEAD_LETTERS,
        "delivery-limit": DELIVERY_LIMIT,
    }
    by_type = version >= (3, 12)
    if by_type:
        definition["consumer-timeout"] = consumer_timeout * 1000
    return {
        "vhost": vhost,
        "name": "celeryops.tasks",
        "pattern": rf"^(?!{_DELAYED}$|{re.escape(DEAD_LETTERS)}$).*",
        "apply-to": "quorum_queues" if by_type else "queues",
        "definition": definition,
        "priority": 1,
    }


def _version(exported: Mapping[str, Any]) -> tuple[int, int]:
    major, minor = str(exported["rabbitmq_version"]).split(".")[:2]
    return int(major), int(minor)


def _key(kind: str, item: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(item.get(name) for name in _KEYS[kind])


def _by_key(
    kind: str, items: Iterable[Mapping[str, Any]]
) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    return {_key(kind, item): item for item in items}


def _is_there(kind: str, wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    if found is None:
        return False
    if kind in ("vhosts", "queues"):
        return True
    return all(found.get(name) == value for name, value in wanted.items())
