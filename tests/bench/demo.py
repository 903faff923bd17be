"""Measures a running demo: `make bench`, after `make demo`. Prints medians and ratios of one run.

The commands that are compared take turns, so that a busy machine slows them down alike.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping

INVENTORY = ("-i", "inventories/demo")
ROUNDS = 9
SITE_ROUNDS = 3
TASK = re.compile(r"^(?P<name>\S.*?) -+ (?P<seconds>[\d.]+)s$", re.MULTILINE)


def run(*command: str, **environment: str) -> str:
    """The command's output; raises CalledProcessError where it fails."""
    setting = [f"{name}={value}" for name, value in environment.items()]
    done = subprocess.run(["env", *setting, *command], check=True, capture_output=True, text=True)
    return done.stdout


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turns(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of each action's seconds; a first round that warms up does not count."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _round in range(rounds + 1):
        for name, action in actions.items():
            times[name].append(seconds(action))
    return {name: statistics.median(each[1:]) for name, each in times.items()}


def adhoc(module: str, *arguments: str) -> Callable[[], object]:
    return lambda: run("ansible", "worker1", *INVENTORY, "-m", module, *arguments)


def measure_modules() -> None:
    pool = ("-a", "app=monitoring pool=checks size=4")
    medians = in_turns(
        {
            "ansible -m ping": adhoc("ansible.builtin.ping"),
            "celery_pool, no change": adhoc("celeryops.cluster.celery_pool", *pool),
            "celery_health": adhoc("celeryops.cluster.celery_health", "-a", "app=monitoring"),
        },
        ROUNDS,
    )
    print(f"\n| ad-hoc on one host, median of {ROUNDS} | seconds | ratio to ping |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median / medians['ansible -m ping']:.2f} |")


def measure_site() -> None:
    times, profiles = [], []
    for _round in range(SITE_ROUNDS):
        start = time.perf_counter()
        output = run(
            "ansible-playbook",
            "celeryops.cluster.site",
            *INVENTORY,
            ANSIBLE_CALLBACKS_ENABLED="ansible.posix.profile_tasks",
            ANSIBLE_NOCOLOR="1",
            PROFILE_TASKS_TASK_OUTPUT_LIMIT="all",
        )
        times.append(time.perf_counter() - start)
        profiles.append(TASK.findall(output))
        if changed := re.findall(r"changed=[1-9]\d*", output):
            raise SystemExit(
                f"site was to change nothing, but {', '.join(changed)}: run make demo."
            )
    tasks = profiles[0]
    spent = sum(float(each) for _name, each in tasks)
    median = statistics.median(times)
    print(f"\n`site` with nothing to change, median of {SITE_ROUNDS}: {median:.1f} s")
    print(f"\n| where the time goes ({len(tasks)} tasks, {spent:.1f} s) | seconds |\n|---|---|")
    for name, each in tasks[:8]:
        print(f"| {name} | {each} |")


if __name__ == "__main__":
    measure_modules()
    measure_site()
