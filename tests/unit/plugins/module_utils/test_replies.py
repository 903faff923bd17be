# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._replies import (
    Gathering,
    all_duplicates,
    quiet_window,
    readable_error,
)


def test_all_have_answered() -> None:
    gathering = Gathering(["a", "b"], sent_at=10.0)
    gathering.add({"a": {"ok": 1}}, 10.1)
    assert gathering.over_at(20.0, grace=0.5) == 20.0
    gathering.add({"b": [1]}, 10.2)
    assert gathering.over_at(20.0, grace=0.5) == pytest.approx(10.7)
    assert gathering.over_at(10.3, grace=0.5) == 10.3
    replies = gathering.replies(10.7)
    assert replies.answers == {"a": {"ok": 1}, "b": [1]}
    assert (replies.errors, replies.missing, replies.duplicates) == ({}, [], [])
    assert replies.elapsed == 0.7


@pytest.mark.parametrize(
    ("arrivals", "grace", "waits"),
    [
        ([0.01, 0.01, 0.02], 0.05, 0.05),
        ([0.3, 0.4, 0.5], 0.05, 0.2),
        ([3.0, 4.0, 5.0], 0.05, 0.5),
        ([3.0, 4.0, 5.0], 0.7, 0.7),
        # One that is busy doesn't delay the others.
        ([0.01, 0.01, 5.0], 0.05, 0.05),
        ([3.0, 4.0, 5.0], 0.0, 0.0),
    ],
)
def test_how_long_duplicates_are_awaited(arrivals: list[float], grace: float, waits: float) -> None:
    gathering = Gathering([str(number) for number in range(3)], sent_at=0.0)
    for number, moment in enumerate(arrivals):
        gathering.add({str(number): 1}, moment)
    assert gathering.over_at(99.0, grace) == pytest.approx(arrivals[-1] + waits)


@pytest.mark.parametrize(
    ("listeners", "waits"),
    [(2, 0.0), (3, 0.05), (1, 0.05), (None, 0.05)],
    ids=["as many as names", "one more", "fewer", "unknown"],
)
def test_nobody_is_awaited_when_all_listeners_have_answered(
    listeners: int | None, waits: float
) -> None:
    gathering = Gathering(["a", "b"], sent_at=0.0)
    gathering.reaches(listeners)
    gathering.add({"a": 1}, 0.01)
    assert gathering.over_at(9.0, grace=0.05) == 9.0
    gathering.add({"b": 1}, 0.02)
    assert gathering.over_at(9.0, grace=0.05) == pytest.approx(0.02 + waits)


def test_a_second_reply_is_a_duplicate_and_changes_nothing() -> None:
    gathering = Gathering(["a"], sent_at=0.0)
    gathering.add({"a": 1}, 0.1)
    gathering.add({"a": 2}, 0.12)
    assert gathering.over_at(9.0, grace=0.05) == pytest.approx(0.15)
    assert gathering.replies(0.2).answers == {"a": 1}
    assert gathering.replies(0.2).duplicates == ["a"]
    assert all_duplicates([gathering, Gathering([], 0.0)]) == ["a"]


def test_a_duplicate_of_an_error() -> None:
    gathering = Gathering(["a"], sent_at=0.0)
    gathering.add({"a": {"error": "KeyError('x')"}}, 0.1)
    gathering.add({"a": {"error": "KeyError('x')"}}, 0.1)
    replies = gathering.replies(0.1)
    assert replies.errors == {"a": "unknown command 'x'"}
    assert (replies.duplicates, replies.missing, replies.answers) == (["a"], [], {})


def test_silent_nodes_are_missing_until_the_limit() -> None:
    gathering = Gathering(["a", "b", "c"], sent_at=0.0)
    gathering.add({"b": 1}, 0.1)
    assert gathering.over_at(5.0) == 5.0
    assert gathering.replies(5.0).missing == ["a", "c"]
    assert not gathering.complete


def test_strangers() -> None:
    directed, broadcast = Gathering(["a"], 0.0), Gathering(["a"], 0.0, directed=False)
    for gathering in (directed, broadcast):
        gathering.add({"stranger": 1}, 0.1)
        assert gathering.replies(5.0).missing == ["a"]
    assert broadcast.replies(0.2).answers == {"stranger": 1}
    assert (directed.replies(0.2).answers, directed.replies(0.2).refused) == ({}, 1)
    assert directed.why_refused is not None
    assert "weren't asked" in directed.why_refused
    assert (directed.silent, broadcast.silent) == (True, False)


@pytest.mark.parametrize("reply", [None, b"pong", "pong", ["a"], 1])
def test_what_is_no_reply(reply: object) -> None:
    gathering = Gathering(["a"], sent_at=0.0)
    gathering.add(reply, 0.1)
    assert gathering.replies(0.2).refused == 1
    assert gathering.silent


def test_an_answer_may_hold_the_word_error() -> None:
    gathering = Gathering(["a"], sent_at=0.0)
    gathering.add({"a": {"error": "x", "other": 1}}, 0.1)
    assert gathering.replies(0.1).answers == {"a": {"error": "x", "other": 1}}


def test_nobody_is_expected() -> None:
    assert Gathering([], sent_at=3.0).over_at(9.0, grace=0.0) == 3.0


def test_an_unknown_fleet_ends_by_silence() -> None:
    gathering = Gathering(None, sent_at=0.0)
    assert gathering.over_at(9.0) == 9.0
    for number in range(100):
        gathering.add({f"n{number}": 1}, 1.0)
    assert gathering.over_at(9.0) == pytest.approx(1.0 + quiet_window(100))
    assert quiet_window(1000) > quiet_window(10)
    assert gathering.replies(2.0).missing == []


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("ValueError('Autoscale not enabled')", "Autoscale not enabled"),
        ('ValueError("Can\'t shrink pool.")', "Can't shrink pool."),
        ("KeyError('nosuch')", "unknown command 'nosuch'"),
        ("RuntimeError()", "RuntimeError()"),
        ("TypeError(<object at 0x1>)", "TypeError(<object at 0x1>)"),
        ("OSError(2, 'no file')", "2 no file"),
        ("unknown task", "unknown task"),
        ("OperationalError('amqp://u:pw@h')", "amqp://u:***@h"),
    ],
)
def test_readable_errors(text: str, readable: str) -> None:
    assert readable_error(text) == readable


def test_those_far_slower_than_all_others_are_given_up() -> None:
    gathering = Gathering(["a@h", "b@h"], 10.0)
    assert gathering.over_at(20.0, settle=True) == 20.0
    gathering.add({"a@h": 1}, 10.05)
    assert gathering.over_at(20.0) == 20.0
    assert gathering.over_at(20.0, settle=True) == 12.05

    slow = Gathering(["a@h", "b@h"], 10.0)
    slow.add({"a@h": 1}, 10.2)
    assert slow.over_at(20.0, settle=True) == pytest.approx(12.2)
    slow.add({"b@h": 1}, 10.5)
    assert slow.over_at(20.0, 0.2, settle=True) == 10.7
    assert slow.replies(11.0).arrived == {"a@h": 0.2, "b@h": 0.5}


def test_a_copy_of_a_reply_is_known_as_such() -> None:
    gathering = Gathering(["a@h"], 0.0)
    assert [gathering.repeats(copy) for copy in ((1, "x"), (1, "y"), (2, "x"), (1, "x"))] == [
        False,
        False,
        False,
        True,
    ]
