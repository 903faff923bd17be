from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from celeryops_runtime._events import name_event_groups, sends_task_events


def consumer(groups: set[str], enabled: bool = True) -> Any:
    return SimpleNamespace(event_dispatcher=SimpleNamespace(groups=groups, enabled=enabled))


@pytest.mark.parametrize(
    ("groups", "named"),
    [(set(), {"task", "worker"}), ({"worker"}, {"worker"}), ({"task"}, {"task"})],
)
def test_all_groups_are_named(groups: set[str], named: set[str]) -> None:
    worker = consumer(groups)
    name_event_groups(worker)
    assert worker.event_dispatcher.groups == named


def test_a_worker_without_events_is_left_alone() -> None:
    name_event_groups(SimpleNamespace(event_dispatcher=None))


@pytest.mark.parametrize(
    ("worker", "sends"),
    [
        (consumer(set()), True),
        (consumer({"task", "worker"}), True),
        (consumer({"worker"}), False),
        (consumer(set(), enabled=False), False),
        (SimpleNamespace(event_dispatcher=None), False),
    ],
)
def test_whether_events_are_sent(worker: Any, sends: bool) -> None:
    assert sends_task_events(worker) is sends
