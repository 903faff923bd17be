from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils import _recording
from ansible_collections.celeryops.cluster.plugins.module_utils._client import in_thread
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._recording import (
    Look,
    Order,
    look,
    record,
)

PATIENCE = 10.0


class Watched:
    """A recording in a thread; each look waits until it is allowed."""

    def __init__(self, path: Path, lease: float = 3600.0) -> None:
        self.path = path
        self._taken = threading.Semaphore(0)
        self._allowed = threading.Semaphore(0)
        order = Order(path, 0.0, lease)
        self.running: Future[int] = in_thread(lambda: record(order, self._see, time.time), 0.0)

    def _see(self) -> Look:
        self._taken.release()
        self._allowed.acquire(timeout=PATIENCE)
        return {"nodes": {"cpu1@w1": {"done": 1}}, "queues": {}}

    def look(self, times: int = 1) -> None:
        """Let it take looks."""
        for _ in range(times):
            self._allowed.release()
            assert self._taken.acquire(timeout=PATIENCE)

    def lines(self) -> list[Look]:
        return [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Watched]]:
    """Begins a recording, which ends with the test."""
    monkeypatch.setattr(_recording, "REST", 0)
    found: list[Watched] = []

    def begin(**options: float) -> Watched:
        one = Watched(tmp_path / "recording", **options)
        assert one._taken.acquire(timeout=PATIENCE)
        found.append(one)
        return one

    yield begin
    (tmp_path / "recording").unlink(missing_ok=True)
    for one in found:
        one._allowed.release()
        one.running.result(PATIENCE)


def test_each_look_is_a_line_that_only_the_owner_can_read(
    watched: Callable[..., Watched],
) -> None:
    one = watched()
    one.look(3)
    assert [line["nodes"] for line in one.lines()] == [{"cpu1@w1": {"done": 1}}] * 3
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o600


def test_it_ends_when_its_file_is_taken_away(watched: Callable[..., Watched]) -> None:
    one = watched()
    one.look(2)
    one.path.unlink()
    one._allowed.release()
    assert one.running.result(PATIENCE) == 3
    assert not one.path.exists()


def test_it_ends_when_another_one_begins(watched: Callable[..., Watched]) -> None:
    one = watched()
    other = watched()
    one._allowed.release()
    assert one.running.result(PATIENCE) == 1
    other.look()
    assert len(other.lines()) == 1


def test_it_ends_when_nobody_has_renewed_its_lease(watched: Callable[..., Watched]) -> None:
    one = watched(lease=600.0)
    now = time.time()
    os.utime(one.path, (now - 500, now))
    one.look()
    os.utime(one.path, (now - 700, now))
    one._allowed.release()
    assert one.running.result(PATIENCE) == 2


def test_of_very_many_looks_every_other_one_is_dropped(
    watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_recording, "FEWEST_LOOKS", 4)
    monkeypatch.setattr(_recording, "MOST_VALUES", 6)
    one = watched()
    one.look(6)
    before = [line["time"] for line in one.lines()]
    one.look()
    after = [line["time"] for line in one.lines()]
    assert after == [*before, after[-1]][::2]


def test_a_broker_that_is_silent_is_a_look_that_says_so() -> None:
    seen = look(Cluster(Broker("redis://127.0.0.1:1/0", "the test")), 2.0)
    assert list(seen) == ["error"]
    assert "127.0.0.1:1" in seen["error"]
