# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.celeryops.cluster.plugins.module_utils._tracker import Tracker


def test_nothing_differs() -> None:
    tracker = Tracker()
    tracker.add("nodes", "a@h", before=2, after=2)
    assert not tracker.changed
    assert tracker.diff() == {"before": {}, "after": {}}
    assert tracker.values("nodes") == {"a@h": {"before": 2, "after": 2}}


def test_only_differences_are_in_the_diff() -> None:
    tracker = Tracker()
    tracker.add("nodes", "a@h", before=2, after=4)
    tracker.add("nodes", "b@h", before=4, after=4)
    tracker.add("persisted", "cpu", before={}, after={"SIZE": "4"})
    assert tracker.changed
    assert tracker.diff() == {
        "before": {"nodes": {"a@h": 2}, "persisted": {"cpu": {}}},
        "after": {"nodes": {"a@h": 4}, "persisted": {"cpu": {"SIZE": "4"}}},
    }
    assert list(tracker.values("nodes")) == ["a@h", "b@h"]
    assert tracker.values("other") == {}
