"""The cluster goes back to a release that its hosts keep, under load, and from what they keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

UNIT = "celery-monitoring-work@1.service"
NEW = {"celery_app_packages": ["colorama"]}
# Neither the application's source nor a package index can be read.
NOTHING = {
    "celery_app_source": "/nowhere/monitoring_app",
    "celery_pip_index_url": "http://127.0.0.1:9/",
}

# What isn't tested here takes one batch.
AT_ONCE = {"celery_worker_serial": ["100%"]}

State = dict[str, tuple[str, str]]


def releases(state: State) -> set[str]:
    return {Path(release).name for release, _started in state.values()}


@pytest.fixture(scope="module")
def before(operate: Callable[..., Any], state: Callable[[], State]) -> Iterator[str]:
    """The release that ran before an update; in the end it runs again."""
    (release,) = releases(state())
    yield release
    if releases(state()) != {release}:
        assert operate("rollback", celery_app_release=release, **AT_ONCE).errors == []


@pytest.fixture
def new(before: str, operate: Callable[..., Any], state: Callable[[], State]) -> str:
    """The release of that update, which runs."""
    if releases(state()) == {before}:
        assert operate("rolling_update", **NEW, **AT_ONCE).errors == []
    (release,) = releases(state())
    assert release != before
    return release


@pytest.mark.full
def test_a_dry_run_shows_the_way_back_and_changes_nothing(
    before: str, new: str, operate: Callable[..., Any], state: Callable[[], State]
) -> None:
    as_it_was = state()
    run = operate("rollback", "--check", **NOTHING)
    assert run.errors == []
    assert f"Batch 2 of 4: worker2 ({new} -> {before})" in run.output
    assert state() == as_it_was


@pytest.mark.full
def test_a_release_that_a_host_does_not_keep_is_refused(
    before: str,
    new: str,
    cluster: dict[str, Host],
    operate: Callable[..., Any],
    state: Callable[[], State],
) -> None:
    as_it_was = state()
    mark = f"/opt/celeryops/monitoring/releases/{before}/release.json"
    cluster["worker2"].check_output(f"mv {mark} {mark}.away")
    try:
        run = operate("rollback", celery_app_release=before)
    finally:
        cluster["worker2"].check_output(f"mv {mark}.away {mark}")
    (error,) = run.errors
    assert f"Release {before} can't be brought back" in error
    assert "worker2 keeps" in error
    assert new in error
    assert "worker1" not in error
    assert state() == as_it_was


def test_a_rollback_under_load_loses_and_doubles_no_task(
    before: str,
    new: str,
    operate: Callable[..., Any],
    state: Callable[[], State],
    load: Callable[..., Any],
    all_done: Callable[[Any], None],
) -> None:
    sending = load()
    run = operate("rollback", celery_worker_pause=1, **NOTHING)
    assert run.errors == []
    assert run.output.count("Pausing for 1 seconds") == 3
    assert "Batch 4 of 4: worker4 (" in run.output
    assert f"{before}: work1@worker1, work1@worker2, work1@worker3, work1@worker4" in run.output
    assert releases(state()) == {before}
    all_done(sending)


@pytest.mark.full
def test_a_release_that_was_left_comes_back_when_it_is_named(
    before: str, new: str, operate: Callable[..., Any], state: Callable[[], State]
) -> None:
    assert operate("rollback").errors == []
    assert releases(state()) == {before}
    assert operate("rollback", celery_app_release=new, **NOTHING).errors == []
    assert releases(state()) == {new}


@pytest.mark.full
def test_an_update_after_a_rollback_brings_the_new_release_again(
    before: str, new: str, operate: Callable[..., Any], state: Callable[[], State]
) -> None:
    assert operate("rollback").errors == []
    assert operate("rolling_update", **NEW).errors == []
    assert releases(state()) == {new}


@pytest.mark.full
def test_a_worker_that_does_not_run_is_no_hindrance(
    before: str,
    new: str,
    cluster: dict[str, Host],
    operate: Callable[..., Any],
    state: Callable[[], State],
) -> None:
    cluster["worker1"].check_output(f"systemctl stop {UNIT}")
    assert operate("rollback").errors == []
    assert releases(state()) == {before}
    assert cluster["worker1"].service(UNIT).is_running


@pytest.mark.full
def test_a_rollback_that_was_killed_goes_on_to_where_it_wanted(
    before: str,
    new: str,
    begin: Callable[..., Any],
    changing: Callable[[str], Callable[[], bool]],
    operate: Callable[..., Any],
    state: Callable[[], State],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    sending = load()
    begin("rollback", until=changing("worker2")).kill()
    between = state()
    assert operate("rollback").errors == []
    after = state()
    assert releases(after) == {before}
    assert after["worker1"] == between["worker1"]
    all_done(sending)
