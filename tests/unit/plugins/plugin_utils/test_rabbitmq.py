from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._rabbitmq import (
    ROLES,
    missing_definitions,
    password_hash,
)

PASSWORDS = {role: f"password of {role}" for role in ROLES}
EMPTY: dict[str, Any] = {"rabbitmq_version": "4.0.5"}


def missing(exported: dict[str, Any], **change: Any) -> dict[str, list[dict[str, Any]]]:
    given: dict[str, Any] = {
        "vhost": "shop",
        "queues": ["mail", "default"],
        "passwords": PASSWORDS,
        "consumer_timeout": 4200,
    }
    return missing_definitions(exported, **given | change)


def cluster(**change: Any) -> dict[str, Any]:
    """A cluster that has all definitions, and what else a server says of them."""
    found: dict[str, Any] = EMPTY | missing(EMPTY)
    found["users"] = [user | {"limits": {}} for user in found["users"]]
    return found | change


def permission(role: str) -> dict[str, str]:
    (found,) = (item for item in missing(EMPTY)["permissions"] if item["user"] == f"shop.{role}")
    return found


def test_a_bare_cluster_lacks_everything() -> None:
    found = missing(EMPTY)
    assert found["vhosts"] == [{"name": "shop", "metadata": {"default_queue_type": "quorum"}}]
    assert [user["name"] for user in found["users"]] == [f"shop.{role}" for role in ROLES]
    assert found["policies"][0]["definition"]["consumer-timeout"] == 4_200_000


def test_a_complete_cluster_lacks_nothing() -> None:
    assert missing(cluster()) == {
        "vhosts": [],
        "users": [],
        "permissions": [],
        "policies": [],
        "queues": [],
    }


def test_a_new_password_is_one_users_change() -> None:
    found = missing(cluster(), passwords=PASSWORDS | {"control": "another"})
    assert [user["name"] for user in found["users"]] == ["shop.control"]
    assert not any(found[kind] for kind in found if kind != "users")


def test_a_new_queue_changes_what_producers_may_do_and_nothing_else() -> None:
    found = missing(cluster(), queues=["mail", "default", "new"])
    assert [item["user"] for item in found["permissions"]] == ["shop.producer"]
    assert not any(found[kind] for kind in found if kind != "permissions")


def test_a_virtual_host_keeps_the_type_of_its_queues() -> None:
    assert missing(cluster(vhosts=[{"name": "shop", "metadata": {}}]))["vhosts"] == []


def test_another_applications_definitions_are_not_looked_at() -> None:
    other = missing(EMPTY, vhost="other")
    both = {kind: items + other[kind] for kind, items in missing(EMPTY).items()}
    assert not any(missing(EMPTY | both).values())


@pytest.mark.parametrize(
    "name", ["", "amq.default", "celery.pidbox", "w1@host.celery.pidbox", "celeryev", "xdefault"]
)
@pytest.mark.parametrize("right", ["configure", "write", "read"])
def test_a_producer_reaches_nothing_but_tasks(name: str, right: str) -> None:
    assert re.search(permission("producer")[right], name) is None


@pytest.mark.parametrize("name", ["default", "mail"])
@pytest.mark.parametrize("right", ["configure", "write", "read"])
def test_a_producer_sends_tasks(name: str, right: str) -> None:
    assert re.search(permission("producer")[right], name)


def test_a_producer_sends_tasks_for_later() -> None:
    assert re.search(permission("producer")["write"], "celery_delayed_27")
    assert re.search(permission("producer")["read"], "celery_delayed_27") is None


def test_a_name_with_special_characters_is_no_pattern() -> None:
    (found,) = (
        item
        for item in missing(EMPTY, queues=["a.b"])["permissions"]
        if item["user"] == "shop.producer"
    )
    assert re.search(found["write"], "a.b")
    assert re.search(found["write"], "axb") is None


def test_a_control_client_has_no_way_through_the_nameless_exchange() -> None:
    assert re.search(permission("control")["write"], "celery.pidbox")
    assert re.search(permission("control")["write"], "amq.default") is None


def test_a_monitor_sees_and_touches_nothing() -> None:
    rights = permission("monitor")
    assert {rights[right] for right in ("configure", "write", "read")} == {"^$"}


def test_an_old_server_gets_only_what_it_knows() -> None:
    (policy,) = missing({"rabbitmq_version": "3.10.8"})["policies"]
    assert policy["apply-to"] == "queues"
    assert "consumer-timeout" not in policy["definition"]


@pytest.mark.parametrize("name", ["celery_delayed_3", "celeryops.dead"])
def test_the_policy_leaves_the_brokers_own_queues_alone(name: str) -> None:
    (policy,) = missing(EMPTY)["policies"]
    assert re.search(policy["pattern"], name) is None
    assert re.search(policy["pattern"], "default")


def test_a_hash_holds_salt_and_password() -> None:
    found = b64decode(password_hash("shop.worker", "pässword"))
    assert found[4:] == hashlib.sha256(found[:4] + "pässword".encode()).digest()
    assert found == b64decode(password_hash("shop.worker", "pässword"))
    assert found[:4] != b64decode(password_hash("shop.control", "pässword"))[:4]
