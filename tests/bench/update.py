"""Measures rolling updates under load, side by side with a plain restart: `make bench`.

On the hosts of the Molecule scenario rolling_update, four workers with two processes each: a serial
play of `systemctl restart` with the unit of Celery's documentation and Celery's defaults, then a
rolling update by each strategy. The load comes from a test host and is bounded: as soon as so many
tasks are under way as keep all processes busy, no more are sent.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).parents[2]
SCENARIO = "rolling_update"
OPERATE = ROOT / "molecule" / SCENARIO / "operate.yml"
PLAIN = Path(__file__).parent / "plain"
PYTHON = "/opt/celeryops/monitoring/current/venv/bin/python"
HOSTS, PROCESSES = 4, 8
STRATEGIES = ["drain", "surge"]
ONE_THEN_ALL = ", one host and then all others"
# The collection's defaults, which the scenario shortens; tasks of ten minutes need them.
DEFAULTS = {"celery_worker_stop_timeout": 3600, "celery_settings": {}}
# Each update brings another value of this setting, as a restart brings no release either.
WATCHDOG = iter(range(120, 300, 30))

# Seconds: of the tasks, of which one in 240 takes a minute; before anything is measured, of the
# steady state, of a window, and until all that was sent must have been done; for the long ones
# after the time that they take.
LENGTHS = [1] * 239 + [60]
WARM, STEADY, WINDOW, PATIENCE = 30, 60, 5, 300
LONG, LONG_PATIENCE = 600, 60
UNDER_WAY = 80

LOAD = """
import celeryops_runtime.app
import json, time
from monitoring_app import ledger
from monitoring_app.tasks.operations import work
name, lengths, number, until = {name!r}, {lengths}, 0, time.time() + 3600
redis = ledger.client()
before = redis.llen(ledger.LEDGER)
redis.set("load", name, ex=3600)
while redis.get("load") in (name, name.encode()) and time.time() < until:
    if number - (redis.llen(ledger.LEDGER) - before) < {under_way}:
        work.delay(lengths[number % len(lengths)], f"{{name}}-{{number}}")
        number += 1
    else:
        time.sleep(0.1)
print(json.dumps(number))
"""
STOP = """
from monitoring_app import ledger
print(ledger.client().delete("load"))
"""
SEND = """
import celeryops_runtime.app
from monitoring_app.tasks.operations import work
for number in range({count}):
    work.delay({seconds}, f"{name}-{{number}}")
print({count})
"""
DONE = """
import json
from monitoring_app import ledger
print(json.dumps([id for id in ledger.read() if id.startswith({name!r})]))
"""
# When each task ended, and how long it took.
ENDED = """
import json
from monitoring_app import ledger
redis = ledger.client()
keys = list(redis.scan_iter("celery-task-meta-*", count=1000))
metas = [json.loads(each) for each in redis.mget(keys) if each]
ended = [
    (meta["date_done"], meta["args"][0]) for meta in metas
    if meta["status"] == "SUCCESS" and str(meta["args"][1]).startswith({name!r})
]
print(json.dumps(ended))
"""


@dataclass(frozen=True)
class Result:
    """What a change of all hosts did to the load."""

    title: str
    seconds: float
    sent: int
    lost: int
    doubled: int
    steady: float
    lowest: float

    def line(self) -> str:
        share = f"{self.lowest / self.steady:.0%}" if self.steady else ""
        return (
            f"| {self.title} | {self.sent} | {self.lost} | {self.doubled} | "
            f"{self.steady:.1f} of {PROCESSES} | {share} | {self.seconds:.0f} |"
        )


@dataclass(frozen=True)
class Rig:
    """The hosts of the scenario."""

    inventory: Path

    def application(self, code: str) -> Any:
        """Run Python on worker1 as the services run, and return what it prints as JSON."""
        container = self._container("worker1")
        unit = ["systemd-run", "--pipe", "--wait", "--quiet", "--property=User=celery"]
        unit.append("--property=EnvironmentFile=/etc/celeryops/monitoring/worker.env")
        return json.loads(run("docker", "exec", container, *unit, PYTHON, "-c", code))

    def play(self, playbook: Path, **variables: Any) -> None:
        extra = f"--extra-vars={json.dumps(variables)}"
        run("ansible-playbook", str(playbook), f"--inventory={self.inventory}", extra)

    def update(self, strategy: str, **how: Any) -> None:
        """The rolling update, by a strategy; `drain` is the default."""
        if strategy != "drain":
            how["celery_worker_strategy"] = strategy
        self.play(OPERATE, celery_worker_watchdog=next(WATCHDOG), **DEFAULTS, **how)

    def _container(self, host: str) -> str:
        found = json.loads(
            run("ansible-inventory", f"--inventory={self.inventory}", "--host", host)
        )
        return str(found["ansible_host"])


def run(*command: str) -> str:
    """The command's output; what it said is shown where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


@contextmanager
def hosts(inventory: Path | None) -> Iterator[Rig]:
    """Those that stand, or new ones that are removed in the end."""
    if inventory:
        yield Rig(inventory)
        return
    place = ROOT / ".cache" / "bench" / SCENARIO
    place.mkdir(parents=True, exist_ok=True)
    os.environ["MOLECULE_EPHEMERAL_DIRECTORY"] = str(place)
    try:
        for step in ("create", "converge"):
            run("molecule", step, "--scenario-name", SCENARIO)
        yield Rig(place / "inventory")
    finally:
        run("molecule", "destroy", "--scenario-name", SCENARIO)


def measure(rig: Rig, title: str, change: Callable[[], None]) -> Result:
    """Change all hosts under load, and count."""
    name = uuid4().hex[:8]
    with ThreadPoolExecutor(1) as pool:
        code = LOAD.format(name=name, lengths=LENGTHS, under_way=UNDER_WAY)
        sending = pool.submit(rig.application, code)
        try:
            time.sleep(WARM + STEADY)
            begun = time.time()
            change()
            over = time.time()
        finally:
            rig.application(STOP)
        sent = sending.result()
    times = await_done(rig, name, sent)
    ended = [
        (datetime.fromisoformat(done).timestamp(), seconds)
        for done, seconds in rig.application(ENDED.format(name=name))
    ]
    return Result(
        title=title,
        seconds=over - begun,
        sent=sent,
        lost=sent - len(times),
        doubled=sum(count > 1 for count in times.values()),
        steady=busy(ended, begun - STEADY, begun),
        lowest=min(busy(ended, start, end) for start, end in windows(begun, over)),
    )


def measure_long(rig: Rig, title: str, change: Callable[[], None]) -> str:
    """Change all hosts while each process runs a task of ten minutes."""
    name = uuid4().hex[:8]
    rig.application(SEND.format(name=name, count=PROCESSES, seconds=LONG))
    time.sleep(WARM)
    begun = time.time()
    change()
    seconds = time.time() - begun
    times = await_done(rig, name, PROCESSES, LONG + LONG_PATIENCE)
    doubled = sum(count > 1 for count in times.values())
    return f"| {title} | {PROCESSES} | {PROCESSES - len(times)} | {doubled} | {seconds:.0f} |"


def await_done(rig: Rig, name: str, sent: int, patience: float = PATIENCE) -> Counter[str]:
    """How often each task was done, once all were or nothing more is to be expected."""
    limit = time.monotonic() + patience
    while True:
        times = Counter(rig.application(DONE.format(name=name)))
        if len(times) >= sent or time.monotonic() > limit:
            return times
        time.sleep(5)


def windows(begun: float, over: float) -> list[tuple[float, float]]:
    """All windows within some time, a second after one another."""
    last = max(int(over - begun) - WINDOW, 0)
    return [(begun + second, begun + second + WINDOW) for second in range(last + 1)]


def busy(ended: Sequence[tuple[float, float]], start: float, end: float) -> float:
    """How many processes worked on average, on what came to its end."""
    spent = sum(max(0.0, min(done, end) - max(done - took, start)) for done, took in ended)
    return spent / (end - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inventory", type=Path, help="of hosts that stand and are to stay")
    parser.add_argument("--strategy", choices=STRATEGIES, action="append")
    parser.add_argument("--long", action="store_true", help="also with tasks of ten minutes")
    options = parser.parse_args()
    strategies = options.strategy or STRATEGIES
    # As Molecule says it to the playbook, and as the inventory of the demo has it.
    os.environ |= {"MOLECULE_PROJECT_DIRECTORY": str(ROOT), "ANSIBLE_PIPELINING": "1"}
    with hosts(options.inventory) as rig:
        print(f"\nChanging {HOSTS} hosts under load (load {os.getloadavg()[0]:.1f})\n")
        print("| | tasks | lost | doubled | busy before | lowest | seconds |")
        print("|---|---|---|---|---|---|---|", flush=True)
        rig.update("drain")
        rig.play(PLAIN / "install.yml")
        try:
            restart = "`systemctl restart` in a serial play"
            restart_all = partial(rig.play, PLAIN / "restart.yml")
            plain = measure(rig, restart, restart_all)
            print(plain.line(), flush=True)
            long = [measure_long(rig, restart, restart_all)] if options.long else []
        finally:
            rig.play(PLAIN / "remove.yml")
        for strategy in strategies:
            title = f"`rolling_update`, {strategy}"
            print(measure(rig, title, partial(rig.update, strategy)).line(), flush=True)
        if options.long and "surge" in strategies:
            title = "`rolling_update`, surge"
            for how, serial in (("", {}), (ONE_THEN_ALL, {"celery_worker_serial": [1, "100%"]})):
                change = partial(rig.update, "surge", **serial)
                long.append(measure_long(rig, title + how, change))
        if long:
            print("\nWhile each process runs a task of ten minutes\n")
            print("| | tasks | lost | doubled | seconds |\n|---|---|---|---|---|")
            print("\n".join(long))


if __name__ == "__main__":
    main()
