"""What these tests share: a cluster that works, a load, and the ledger of what was done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from testinfra.host import Host

OPERATE = Path(__file__).resolve().parents[1] / "operate.yml"
WORKERS = ["worker1", "worker2", "worker3", "worker4"]
STARTED = "/etc/celeryops/monitoring/instances"
LINKS = "/opt/celeryops/monitoring/instances"

# Seconds of tasks, and between them.
MIXED = ([0.01, 0.2, 0.01, 0.5, 0.01, 0.1, 0.01, 1] * 12 + [12], 0.15)
# Numbered work until it is told to stop or another load begins; some has a time to come, some is
# retried.
LOAD = """
import json, time
from monitoring_app import ledger
from monitoring_app.tasks.operations import work
name, lengths, pause, number = {name!r}, {lengths}, {pause}, 0
redis = ledger.client()
redis.set("load", name, ex=1200)
while redis.get("load") in (name, name.encode()):
    options = {{"countdown": 5}} if number % 20 == 19 else {{}}
    failures = int(number % 15 == 14)
    work.apply_async((lengths[number % len(lengths)], f"{{name}}-{{number}}", failures), **options)
    number += 1
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


@pytest.fixture(scope="session")
def operate(play: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a playbook of the collection by its name: operate("drain", "--limit=worker1")."""

    def run(name: str, *options: str, **variables: Any) -> Any:
        return play(OPERATE, *options, operation=name, **variables)

    return run


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
    """Begins to send tasks in the background: load(LONG)."""

    def begin(work: tuple[list[float], float] = MIXED) -> Load:
        name = uuid4().hex[:8]
        code = LOAD.format(name=name, lengths=work[0], pause=work[1])
        return Load(name, pool.submit(application, code))

    with ThreadPoolExecutor(1) as pool:
        yield begin
        application(STOP_LOAD)


@pytest.fixture
def all_done(
    application: Callable[[str], Any], wait_until: Callable[..., None]
) -> Callable[[Load], None]:
    """Ends the load and waits for its tasks; each must have been done once."""

    def check(load: Load) -> None:
        application(STOP_LOAD)
        sent = load.sent.result()
        assert sent > 0
        done = DONE.format(name=load.name)
        wait_until(lambda: len(application(done)) >= sent, 300)
        assert {id: times for id, times in application(done).items() if times > 1} == {}

    return check
