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

State = dict[str, tuple[str, str]]


def releases(state: State) -> set[str]:
    return {Path(release).name for release, _started in state.values()}


@pytest.fixture
def before(operate: Callable[..., Any], state: Callable[[], State]) -> Iterator[str]:
    """The release that ran before an update that has just been done; in the end it runs again."""
    (release,) = releases(state())
    assert operate("rolling_update", **NEW).errors == []
    assert release not in releases(state())
    yield release
    assert operate("rollback", celery_app_release=release).errors == []


def test_a_rollback_under_load_loses_and_doubles_no_task(
    before: str,
    operate: Callable[..., Any],
    state: Callable[[], State],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    sending = load()
    run = operate("rollback", celery_worker_pause=1, **NOTHING)
    assert run.errors == []
    assert run.output.count("Pausing for 1 seconds") == 2
    assert "Batch 4 of 4: worker4 (" in run.output
    assert f"{before}: work1@worker1, work1@worker2, work1@worker3, work1@worker4" in run.output
    assert releases(state()) == {before}
    all_done(sending)


def test_a_dry_run_shows_the_way_back_and_changes_nothing(
    before: str, operate: Callable[..., Any], state: Callable[[], State]
) -> None:
    new = state()
    run = operate("rollback", "--check", **NOTHING)
    assert run.errors == []
    (release,) = releases(new)
    assert f"Batch 2 of 4: worker2 ({release} -> {before})" in run.output
    assert state() == new


@pytest.mark.full
def test_a_release_that_was_left_comes_back_when_it_is_named(
    before: str, operate: Callable[..., Any], state: Callable[[], State]
) -> None:
    (left,) = releases(state())
    assert operate("rollback").errors == []
    assert releases(state()) == {before}
    assert operate("rollback", celery_app_release=left, **NOTHING).errors == []
    assert releases(state()) == {left}


@pytest.mark.full
def test_an_update_after_a_rollback_brings_the_new_release_again(
    before: str, operate: Callable[..., Any], state: Callable[[], State]
) -> None:
    (new,) = releases(state())
    assert operate("rollback").errors == []
    assert operate("rolling_update", **NEW).errors == []
    assert releases(state()) == {new}


def test_a_release_that_a_host_does_not_keep_is_refused(
    before: str, cluster: dict[str, Host], operate: Callable[..., Any], state: Callable[[], State]
) -> None:
    new = state()
    (release,) = releases(new)
    mark = f"/opt/celeryops/monitoring/releases/{before}/release.json"
    cluster["worker2"].check_output(f"mv {mark} {mark}.away")
    try:
        run = operate("rollback", celery_app_release=before)
    finally:
        cluster["worker2"].check_output(f"mv {mark}.away {mark}")
    (error,) = run.errors
    assert f"Release {before} can't be brought back" in error
    assert "worker2 keeps" in error
    assert release in error
    assert "worker1" not in error
    assert state() == new


@pytest.mark.full
def test_a_worker_that_does_not_run_is_no_hindrance(
    before: str, cluster: dict[str, Host], operate: Callable[..., Any], state: Callable[[], State]
) -> None:
    cluster["worker1"].check_output(f"systemctl stop {UNIT}")
    assert operate("rollback").errors == []
    assert releases(state()) == {before}
    assert cluster["worker1"].service(UNIT).is_running


@pytest.mark.full
def test_a_rollback_that_was_killed_goes_on_to_where_it_wanted(
    before: str,
    begin: Callable[..., Any],
    operate: Callable[..., Any],
    state: Callable[[], State],
    load: Callable[..., Any],
    all_done: Callable[..., None],
) -> None:
    sending = load()
    begin("rollback", until="worker2").kill()
    between = state()
    assert operate("rollback").errors == []
    after = state()
    assert releases(after) == {before}
    assert after["worker1"] == between["worker1"]
    all_done(sending)
