# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import (
    Change,
    PoolState,
    Range,
    Restart,
    Step,
    Target,
    change_for,
    read_state,
    refusal,
    refuse_fixed_pools,
    shown,
    steps_to,
    target_of,
)


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ((1, None, None), 1),
        ((1000, None, None), 1000),
        ((None, 1, 1), Range(1, 1)),
        ((None, None, None, True), Restart()),
    ],
)
def test_targets(arguments: Any, target: Target) -> None:
    assert target_of(*arguments) == target


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0, None, None), "`size` must be from 1 to 1000, not 0: without a process"),
        ((-1, None, None), "`size` must be from 1 to 1000, not -1: without a process"),
        ((1001, None, None), "`size` must be from 1 to 1000, not 1001: that many processes"),
        ((None, 0, 4), "`autoscale_min` must be from 1 to 1000, not 0"),
        ((None, 1, 1001), "`autoscale_max` must be from 1 to 1000, not 1001"),
        ((None, 5, 4), "`autoscale_min` (5) is above `autoscale_max` (4)"),
        ((None, 5, None), "give either `size`, or both"),
        ((None, None, None), "give either `size`, or both"),
        ((2, None, None, True), "a restart keeps the size: give `restarted` in a task of its own"),
        ((None, 1, 2, True), "a restart keeps the size"),
    ],
)
def test_targets_out_of_range(arguments: Any, sentence: str) -> None:
    with pytest.raises(CeleryOpsError) as caught:
        target_of(*arguments)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("implementation", "pool", "state"),
    [
        (
            "prefork",
            {"max-concurrency": 2, "processes": [1, 2, 3]},
            PoolState("prefork", 3, None, (1, 2, 3)),
        ),
        ("prefork", {"max-concurrency": 2, "processes": []}, PoolState("prefork", 0)),
        ("thread", {"max-concurrency": 8, "threads": 0}, PoolState("threads", 8)),
        ("solo", {"max-concurrency": 1, "processes": [1]}, PoolState("solo", 1, None, (1,))),
        ("gevent", {"max-concurrency": 100}, PoolState("gevent", 100)),
    ],
)
def test_states(implementation: str, pool: dict[str, Any], state: PoolState) -> None:
    name = f"celery.concurrency.{implementation}:TaskPool"
    assert read_state({"pool": {"implementation": name, **pool}}) == state


def test_a_state_under_autoscale() -> None:
    pool = {"implementation": "celery.concurrency.prefork:TaskPool", "processes": [1]}
    bounds = {"min": 1, "max": 4, "current": 5, "qty": 0}
    state = read_state({"pool": pool, "autoscaler": bounds})
    assert state == PoolState("prefork", 1, Range(1, 4), (1,))
    assert state.shown(Range(2, 3)) == {"min": 1, "max": 4}
    assert state.shown(2) == 1
    assert state.shown(Restart()) == [1]
    assert PoolState("prefork", 1).shown(Range(2, 3)) is None
    assert (shown(3), shown(Range(2, 3)), shown(Restart())) == (3, {"min": 2, "max": 3}, None)


@pytest.mark.parametrize(
    ("state", "target", "sentence"),
    [
        (PoolState("prefork", 2), 4, None),
        (PoolState("gevent", 2), 4, None),
        (PoolState("prefork", 2, Range(1, 4)), Range(1, 8), None),
        (PoolState("threads", 2), 4, "a1@h has a pool of kind threads, which can't be resized"),
        (PoolState("solo", 1), Range(1, 2), "a1@h has a pool of kind solo, which can't be"),
        (PoolState("prefork", 2, Range(1, 4)), 4, "a1@h runs under --autoscale=4,1, which would"),
        (PoolState("prefork", 2), Range(1, 4), "a1@h doesn't run under --autoscale"),
        (PoolState("prefork", 2), Restart(), None),
        (PoolState("gevent", 2), Restart(), "kind gevent, which has no processes of its own"),
        (PoolState("prefork", 2, Range(1, 4)), Restart(), "which replaces and ends processes"),
    ],
)
def test_refusals(state: PoolState, target: Target, sentence: str | None) -> None:
    reason = refusal("a1@h", state, target)
    assert reason is None if sentence is None else reason and sentence in reason


def test_refusals_by_the_inventory(cluster: Cluster) -> None:
    refuse_fixed_pools(cluster, ["cpu1@w1", "unknown1@w1"], 2)
    with pytest.raises(CeleryOpsError, match="io1@w1 has a pool of kind threads, which can't be"):
        refuse_fixed_pools(cluster, ["cpu1@w1", "io1@w1"], 2)
    with pytest.raises(CeleryOpsError, match="io1@w1 has a pool of kind threads, which has no"):
        refuse_fixed_pools(cluster, ["io1@w1"], Restart())


@pytest.mark.parametrize(
    ("state", "target", "change"),
    [
        (PoolState("prefork", 4), 4, None),
        (PoolState("prefork", 4), 6, Change("pool_grow", {"n": 2}, False)),
        (PoolState("prefork", 0), 2, Change("pool_grow", {"n": 2}, False)),
        (PoolState("prefork", 4), 1, Change("pool_shrink", {"n": 3}, True)),
        (PoolState("prefork", 2, Range(1, 4)), Range(1, 4), None),
        (
            PoolState("prefork", 2, Range(1, 4)),
            Range(2, 2),
            Change("autoscale", {"max": 2, "min": 2}, False),
        ),
        (
            PoolState("prefork", 4, Range(1, 4)),
            Range(1, 3),
            Change("autoscale", {"max": 3, "min": 1}, True),
        ),
        (
            PoolState("prefork", 4, Range(1, 3)),
            Range(1, 3),
            Change("autoscale", {"max": 3, "min": 1}, True, moves_prefetch=False),
        ),
        (
            PoolState("prefork", 2, Range(2, 4)),
            Range(3, 4),
            Change("autoscale", {"max": 4, "min": 3}, False, moves_prefetch=False),
        ),
        (
            PoolState("prefork", 1, Range(2, 4)),
            Range(2, 4),
            Change("autoscale", {"max": 4, "min": 2}, False, moves_prefetch=False),
        ),
    ],
)
def test_changes(state: PoolState, target: Step, change: Change | None) -> None:
    assert change_for(state, target) == change


def test_steps() -> None:
    assert steps_to(PoolState("prefork", 3), 2) == [2]
    assert steps_to(PoolState("prefork", 3, Range(1, 4)), Range(2, 5)) == [Range(2, 5)]
    assert steps_to(PoolState("prefork", 3), Restart()) == [6, 3]
