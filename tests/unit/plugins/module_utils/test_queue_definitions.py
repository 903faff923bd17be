# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_definitions import (
    complete,
    difference,
    start_definition,
    wanted_queues,
    work_queues,
)

PLAIN = {
    "exchange": "mail",
    "exchange_type": "direct",
    "routing_key": "mail",
    "durable": True,
    "queue_arguments": {},
}
QUORUM = {"x-queue-type": "quorum"}
SHOWN = {
    "name": "mail",
    "exchange": {"name": "post", "type": "topic", "durable": True},
    "routing_key": "m.#",
    "durable": False,
    "queue_arguments": None,
}


def test_names_and_dictionaries() -> None:
    assert wanted_queues(["a", {"name": "b", "exchange": "x", "durable": None}]) == {
        "a": {},
        "b": {"exchange": "x"},
    }
    assert wanted_queues([]) == {}


@pytest.mark.parametrize(
    ("queue", "sentence"),
    [
        ("a b", "'a b' is no name of a queue"),
        ("a,b", "'a,b' is no name of a queue"),
        ("", "'' is no name of a queue"),
        (7, "7 is no name of a queue"),
        ({"exchange": "x"}, "None is no name of a queue"),
        ("cpu1@w1.dq2", "is a node's own queue"),
        ({"name": "a", "exchnge": "x"}, "'a' has an unknown key 'exchnge'; known: name, exchange"),
        ({"name": "a", "exchange_type": "topc"}, "has the unknown exchange_type 'topc'"),
        ({"name": "a", "routing_key": ""}, "'routing_key' of 'a' is empty"),
        ({"name": "a", "queue_arguments": ["x"]}, "'queue_arguments' of 'a' is empty or not"),
        ({"name": "a", "durable": "maybe"}, "'durable' of 'a' must be true or false"),
    ],
)
def test_queues_that_are_refused(queue: Any, sentence: str) -> None:
    with pytest.raises(CeleryOpsError) as caught:
        wanted_queues([queue])
    assert sentence in str(caught.value)


def test_a_queue_that_is_named_twice() -> None:
    with pytest.raises(CeleryOpsError, match="'a' is named twice"):
        wanted_queues(["a", {"name": "a"}])


def test_what_a_node_shows() -> None:
    assert work_queues([SHOWN, {"name": "cpu1@w1.dq2"}]) == {
        "mail": {
            "exchange": "post",
            "exchange_type": "topic",
            "routing_key": "m.#",
            "durable": False,
            "queue_arguments": {},
        }
    }


@pytest.mark.parametrize(
    ("conf", "changes"),
    [
        ({}, {}),
        ({"task_create_missing_queue_type": "quorum"}, {"queue_arguments": QUORUM}),
        ({"task_create_missing_queue_exchange_type": "topic"}, {"exchange_type": "topic"}),
        ({"task_default_queue_type": "quorum"}, {}),
        (
            {
                "task_default_queue": "mail",
                "task_default_queue_type": "quorum",
                "task_default_exchange": "x",
                "task_default_exchange_type": "topic",
                "task_default_routing_key": "k",
            },
            {
                "exchange": "x",
                "exchange_type": "topic",
                "routing_key": "k",
                "queue_arguments": QUORUM,
            },
        ),
        (
            {"task_queues": [SHOWN], "task_create_missing_queues": False},
            {"exchange": "post", "exchange_type": "topic", "routing_key": "m.#", "durable": False},
        ),
        ({"task_queues": ["unreadable"]}, {}),
    ],
)
def test_what_a_start_makes_of_a_name(conf: dict[str, Any], changes: dict[str, Any]) -> None:
    assert start_definition(conf, "mail") == PLAIN | changes


def test_a_start_without_missing_queues() -> None:
    conf = {"task_create_missing_queues": False}
    assert start_definition(conf, "mail") is None
    assert complete(conf, "mail", {}) == PLAIN


def test_details_over_what_a_start_makes() -> None:
    conf = {"task_create_missing_queue_type": "quorum"}
    details = {"routing_key": "k", "queue_arguments": {"x-max-length": 9}}
    assert complete(conf, "mail", details) == PLAIN | {
        "routing_key": "k",
        "queue_arguments": {**QUORUM, "x-max-length": 9},
    }
    assert complete(conf, "mail", {"queue_arguments": {"x-queue-type": "classic"}})[
        "queue_arguments"
    ] == {"x-queue-type": "classic"}


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({}, None),
        ({"exchange": "mail", "durable": True}, None),
        ({"exchange": "post"}, "exchange 'mail' instead of 'post'"),
        ({"queue_arguments": QUORUM}, "x-queue-type None instead of 'quorum'"),
    ],
)
def test_differences(details: dict[str, Any], text: str | None) -> None:
    assert difference(PLAIN, details) == text
