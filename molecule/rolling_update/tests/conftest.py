"""What these tests share: a cluster that works, a load, and the ledger of what was done."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from testinfra.host import Host

SCENARIO = Path(__file__).resolve().parents[1]
OPERATE = SCENARIO / "operate.yml"
APPLICATION = SCENARIO.parents[1] / "examples/monitoring_app"
WORKERS = ["worker1", "worker2", "worker3", "worker4"]
STARTED = "/etc/celeryops/monitoring/instances"
LINKS = "/opt/celeryops/monitoring/instances"
# It stands while a host's change is under way.
KEPT = "/etc/celeryops/monitoring/previous/complete"

SHORT = [0.01, 0.2, 0.01, 0.5, 0.01, 0.1, 0.01, 1] * 12
# By name, the seconds of tasks and those between them. The minute is as long as a worker may take
# to stop; the long ones keep all processes busy.
LOADS = {
    "mixed": ([*SHORT, 12], 0.15),
    "uneven": ([*SHORT, 12, *SHORT, 60], 0.15),
    "long": ([20], 3.4),
}
# Numbered work until it is told to stop or another load begins; some has a time to come, some is
# retried. While the broker is away it is sent again and again.
LOAD = """
import celeryops_runtime.app
import json, time
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from monitoring_app import ledger
from monitoring_app.tasks.operations import work
name, lengths, pause, number = {name!r}, {lengths}, {pause}, 0
redis = ledger.client()
redis.set("load", name, ex=1800)
while True:
    try:
        if redis.get("load") not in (name, name.encode()):
            break
        options = {{"countdown": 5}} if number % 20 == 19 else {{}}
        order = lengths[number % len(lengths)], f"{{name}}-{{number}}", int(number % 15 == 14)
        work.apply_async(order, **options)
        number += 1
    except (OperationalError, RedisError):
        time.sleep(1)
    time.sleep(pause)
print(json.dumps(number))
"""
STOP_LOAD = """
from monitoring_app import ledger
print(ledger.client().delete("load"))
"""
# How often each task of a load was done.
DONE = """
import json
from collections import Counter
from monitoring_app import ledger
print(json.dumps(Counter(id for id in ledger.read() if id.startswith({name!r}))))
"""
State = dict[str, tuple[str, str]]


class Page(HTMLParser):
    """A report: its texts, and its elements, each with its class."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, str]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs).get("class") or ""))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@dataclass(frozen=True)
class Load:
    """Tasks that are sent in the background: what their ids begin with; in the end, how many."""

    name: str
    sent: Future[int]
    begun: float = field(default_factory=time.time)


@pytest.fixture(scope="session")
def operate(play: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a playbook of the collection by its name: operate("drain", "--limit=worker1")."""

    def run(name: str, *options: str, **variables: Any) -> Any:
        return play(OPERATE, *options, operation=name, **variables)

    return run


@pytest.fixture(scope="session")
def update(operate: Callable[..., Any]) -> Callable[..., Any]:
    """Runs the rolling update: update(celery_app_packages=["six"])."""
    return partial(operate, "rolling_update")


@pytest.fixture(scope="session")
def report() -> Callable[[Any], Page]:
    """The page of which the end of a run says where it is."""

    def read(run: Any) -> Page:
        (path,) = re.findall(r'"Report: (\S+\.html)"', run.output)
        return Page(Path(path))

    return read


@pytest.fixture(scope="session")
def numbers(cluster: dict[str, Host]) -> Callable[[str], list[int]]:
    """The numbers of the instances that should run on a host."""

    def read(name: str) -> list[int]:
        files = cluster[name].file(STARTED).listdir()
        return sorted(int(file.removeprefix("work").removesuffix(".env")) for file in files)

    return read


@pytest.fixture(scope="session")
def state(cluster: dict[str, Host], numbers: Callable[[str], list[int]]) -> Callable[[], State]:
    """By host, the release that its worker runs, and when it was started."""

    def of(name: str) -> tuple[str, str]:
        (number,) = numbers(name)
        unit = f"celery-monitoring-work@{number}.service"
        started = f"systemctl show --property=ExecMainStartTimestampMonotonic --value {unit}"
        release = cluster[name].file(f"{LINKS}/work{number}").linked_to
        return release, cluster[name].check_output(started)

    return lambda: {name: of(name) for name in WORKERS}


@pytest.fixture
def load(application: Callable[[str], Any]) -> Iterator[Callable[..., Load]]:
    """Begins to send tasks in the background: load("uneven")."""

    def begin(kind: str = "mixed") -> Load:
        name = uuid4().hex[:8]
        lengths, pause = LOADS[kind]
        code = LOAD.format(name=name, lengths=lengths, pause=pause)
        return Load(name, pool.submit(application, code))

    with ThreadPoolExecutor(1) as pool:
        yield begin
        application(STOP_LOAD)


@pytest.fixture(scope="session")
def done(application: Callable[[str], Any]) -> Callable[[str], dict[str, int]]:
    """How often each task was done whose id begins so."""
    return lambda name: application(DONE.format(name=name))


@pytest.fixture
def all_done(
    cluster: dict[str, Host],
    application: Callable[[str], Any],
    done: Callable[[str], dict[str, int]],
    wait_until: Callable[..., None],
) -> Callable[..., None]:
    """Ends the load and waits for its tasks: each must have been done, and no process been lost.

    Each must have been done once, but for `again` tasks at most, which may have been done twice,
    and `lost` tasks at most, which may not have been done.
    """

    def check(load: Load, again: int = 0, lost: int = 0) -> None:
        application(STOP_LOAD)
        sent = load.sent.result()
        assert sent > 0
        wait_until(lambda: len(done(load.name)) >= sent - lost, 300)
        times = done(load.name)
        assert sent - lost <= len(times) <= sent
        doubled = {id: count for id, count in times.items() if count > 1}
        assert len(doubled) <= again, doubled
        assert set(doubled.values()) <= {2}, doubled
        since = f"journalctl --quiet --unit='celery-monitoring-work@*' --since=@{load.begun:.0f}"
        grep = f"{since} --grep=WorkerLostError"
        losses = {name: cluster[name].run(grep).stdout for name in WORKERS}
        assert losses == dict.fromkeys(WORKERS, "")

    return check


@dataclass(frozen=True)
class Beginning:
    """A playbook that runs in the background."""

    process: subprocess.Popen[bytes]
    output: Path

    def kill(self) -> None:
        """As kill -9 does, with all that it has started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> tuple[int, str]:
        """Wait for it; its exit code and what it has printed."""
        code = self.process.wait()
        return code, self.output.read_text("utf-8")


@pytest.fixture(scope="session")
def changing(cluster: dict[str, Host]) -> Callable[[str], Callable[[], bool]]:
    """Whether the change of a host is under way, as what begin() waits for."""
    return lambda name: lambda: bool(cluster[name].file(KEPT).exists)


@pytest.fixture
def begin(
    inventory: Path, tmp_path: Path, wait_until: Callable[..., None]
) -> Callable[..., Beginning]:
    """Runs a playbook of the collection until something is so, and longer.

    begin("rolling_update", until=changing("worker2"), celery_app_packages=["six"])
    """

    def run(name: str, *options: str, until: Callable[[], bool], **variables: Any) -> Beginning:
        output = tmp_path / f"{uuid4().hex}.log"
        extra = json.dumps({"operation": name, **variables})
        command = ["ansible-playbook", str(OPERATE), f"--inventory={inventory}", *options]
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*command, f"--extra-vars={extra}"],
                env={**os.environ, "ANSIBLE_FORCE_COLOR": "0"},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        wait_until(lambda: until() or process.poll() is not None, 900)
        assert process.poll() is None, output.read_text("utf-8")
        return Beginning(process, output)

    return run


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str], str]:
    """The application with more code at its end."""

    def make(code: str) -> str:
        copy = tmp_path / APPLICATION.name
        left_out = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build")
        shutil.copytree(APPLICATION, copy, ignore=left_out)
        with (copy / "src/monitoring_app/celery.py").open("a", encoding="utf-8") as module:
            module.write(code)
        return str(copy)

    return make


@pytest.fixture(scope="session")
def broker_unit(cluster: dict[str, Host]) -> str:
    """The broker's service on broker1."""
    kind = cluster["broker1"].ansible.get_variables().get("celery_broker_kind", "redis")
    return {"redis": "redis-server.service", "rabbitmq": "rabbitmq-server.service"}[kind]


@pytest.fixture(scope="session")
def power(cluster: dict[str, Host]) -> Callable[[str, str], None]:
    """Switches a host off or on, as docker kill and docker start do: power("worker2", "kill")."""

    def switch(name: str, action: str) -> None:
        container = cluster[name].ansible.get_variables()["ansible_host"]
        subprocess.run(["docker", action, container], check=True, capture_output=True)

    return switch


@pytest.fixture(scope="session")
def lost_with_a_host(broker_unit: str) -> int:
    """How many tasks a host with one instance may take with it when it dies.

    Redis hands a task out before Celery notes there who has it (BRPOP in kombu's transport), so
    that the one that is on its way at that moment is lost.
    """
    return int(broker_unit.startswith("redis"))


@pytest.fixture(scope="session")
def gone_back() -> Callable[[Any], str]:
    """Why worker1 runs again what it ran before, as a run says."""

    def cause(run: Any) -> str:
        found = [error for error in run.errors if "worker1 runs again what it ran before" in error]
        assert len(found) == 1, run.errors
        return str(found[0])

    return cause


@pytest.fixture(scope="session")
def as_told(state: Callable[[], State]) -> Callable[[Any], None]:
    """Checks that each host runs what the end of a playbook's output says."""

    def check(run: Any) -> None:
        by_release: dict[str, list[str]] = {}
        for name, (release, _started) in state().items():
            by_release.setdefault(Path(release).name, []).append(f"work1@{name}")
        for release, nodes in by_release.items():
            assert f"{release}: {', '.join(nodes)}" in run.output

    return check
