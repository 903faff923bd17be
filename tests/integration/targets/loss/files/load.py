"""Keep a queue filled with numbered tasks until told to end, then count what became of them.

Every second task is acknowledged before it runs, so that one that is killed is lost for good; the
others are redelivered. On SIGTERM, and not before COUNT numbers are out, the tasks under way are
awaited for at most PATIENCE seconds, and the counts go to the file SUMMARY:

published  the numbers that were sent
missing    those that the ledger lacks
repeated   those that it has more than once

Usage: load.py SUMMARY QUEUE COUNT PATIENCE
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from celeryops_runtime.app import app

LONGEST_TASK = 0.1
UNDER_WAY = 200
TASKS = ("integration.record", "integration.record_early")


class Ledger:
    """How often each number was done, from the first one on."""

    def __init__(self, path: Path, first: int) -> None:
        path.touch()
        self._stream = path.open(encoding="utf-8")
        self._rest = ""
        self._first = first
        self.done: Counter[int] = Counter()

    def read(self) -> None:
        """Take in what has been written since the last time; the last line may be half there."""
        *lines, self._rest = (self._rest + self._stream.read()).split("\n")
        for line in lines:
            number = json.loads(line)["number"]
            if number >= self._first:
                self.done[number] += 1


def publish(queue: str, first: int, count: int, ledger: Ledger) -> int:
    """Send at least so many tasks, and go on until SIGTERM; return the number after the last."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    number = first
    with app.producer_pool.acquire(block=True) as producer:
        while number < first + count or not ended:
            if number - first - len(ledger.done) >= UNDER_WAY:
                time.sleep(0.2)
                ledger.read()
                continue
            app.send_task(
                TASKS[number % 2],
                (number, random.uniform(0, LONGEST_TASK)),
                queue=queue,
                producer=producer,
                ignore_result=True,
            )
            number += 1
    return number


def main(queue: str, count: int, patience: float) -> dict[str, int]:
    # Numbers that no earlier run has used.
    first = int(time.time()) * 1_000_000
    ledger = Ledger(Path(os.environ["INTEGRATION_LOGS"], "ledger.log"), first)
    published = publish(queue, first, count, ledger) - first
    given_up_at = time.monotonic() + patience
    while len(ledger.done) < published and time.monotonic() < given_up_at:
        time.sleep(1)
        ledger.read()
    return {
        "published": published,
        "missing": published - len(ledger.done),
        "repeated": sum(1 for times in ledger.done.values() if times > 1),
    }


if __name__ == "__main__":
    summary, queue, count, patience = sys.argv[1:]
    counts = main(queue, int(count), float(patience))
    Path(summary).write_text(json.dumps(counts), encoding="utf-8")
