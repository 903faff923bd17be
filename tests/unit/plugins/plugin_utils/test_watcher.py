from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._outcomes import outcomes
from ansible_collections.celeryops.cluster.plugins.plugin_utils._watcher import options


def test_the_defaults() -> None:
    asked = options({"app": "shop", "eda_feedback_queue": object()})
    assert (asked.interval, asked.timeout, asked.configuration) == (10, 10, Path("/etc/celeryops"))
    assert (asked.thresholds.backlog_high, asked.thresholds.backlog_low) == (100, 50)
    assert (asked.thresholds.failures_high, asked.thresholds.failures_low) == (0.1, 0.05)
    assert asked.thresholds.lost_after == 60
    assert asked.means("any")


def test_numbers_of_a_variable_are_texts() -> None:
    asked = options({"app": "shop", "interval": "2.5", "backlog_high": "1000"})
    assert (asked.interval, asked.thresholds.backlog_high) == (2.5, 1000)
    assert asked.thresholds.backlog_low == 500


def test_a_broker_without_an_inventory() -> None:
    asked = options({"broker_url": "redis://broker", "queues": ["orders", "mail.*"]})
    assert asked.cluster().broker.url == "redis://broker"
    assert [asked.means(name) for name in ("orders", "mail.out", "other")] == [True, True, False]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "either `app` or `broker_url`"),
        ({"app": "shop", "broker_url": "redis://"}, "either `app` or `broker_url`"),
        ({"app": "shop", "intervall": 1}, "no option 'intervall': it has app, backlog_high"),
        ({"app": "shop", "interval": "soon"}, "`interval` must be a number above 0, not 'soon'."),
        ({"app": "shop", "timeout": 0}, "`timeout` must be a number above 0, not 0."),
        (
            {"app": "shop", "backlog_high": 10, "backlog_low": 10},
            "`backlog_low` must be below `backlog_high`, and is 10.",
        ),
    ],
)
def test_mistakes(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CeleryOpsError) as caught:
        options(given)
    assert sentence in str(caught.value)


def test_low_may_be_nothing_at_all() -> None:
    assert options({"app": "shop", "failures_low": 0}).thresholds.failures_low == 0


def test_how_tasks_ended() -> None:
    assert list(outcomes({"type": "task-failed"})) == [True]
    many = [{"type": "task-succeeded"}, {"type": "task-started"}, {"type": "task-failed"}]
    assert list(outcomes(many)) == [False, True]
    assert list(outcomes("rubbish")) == []
    assert list(outcomes([None])) == []
