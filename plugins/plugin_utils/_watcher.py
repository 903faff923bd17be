# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: the event source's options, and its look at the cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    CONFIGURATION,
    Broker,
    Cluster,
    read_cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._health import examine
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import ALL, Selection
from ansible_collections.celeryops.cluster.plugins.module_utils._outcomes import Outcomes
from ansible_collections.celeryops.cluster.plugins.plugin_utils._watch import (
    Event,
    Sight,
    Thresholds,
    Watch,
)

# What ansible-rulebook adds by itself.
FEEDBACK = "eda_feedback_queue"
NUMBERS: Mapping[str, float] = {
    "interval": 10,
    "timeout": 10,
    "backlog_high": 100,
    "backlog_low": 50,
    "lost_after": 60,
    "failures_high": 0.1,
    "failures_low": 0.05,
    "failures_window": 300,
    "failures_least": 20,
}
OTHERS = ("app", "configuration", "broker_url", "broker_options", "queues")


@dataclass(frozen=True)
class Options:
    """What the user asks for.

    Attributes:
        interval: Seconds between two looks.
        timeout: Seconds that a look may take.
        queues: Names and globs of the queues whose backlog matters; empty for all.
    """

    app: str | None
    configuration: Path
    broker: Broker | None
    interval: float
    timeout: float
    queues: tuple[str, ...]
    thresholds: Thresholds

    def cluster(self) -> Cluster:
        """What is known of the cluster before it is asked.

        Raises:
            CeleryOpsError: The app is unknown, or its control file unreadable or malformed.
        """
        if self.broker is not None:
            return Cluster(self.broker)
        return read_cluster(str(self.app), self.configuration)

    def means(self, queue: str) -> bool:
        """Whether the backlog of a queue matters."""
        return not self.queues or any(fnmatchcase(queue, each) for each in self.queues)


def options(given: Mapping[str, Any]) -> Options:
    """Check what a rulebook gives, of which numbers may be texts.

    Raises:
        CeleryOpsError: An option is unknown, missing or out of range.
    """
    known = {*NUMBERS, *OTHERS, FEEDBACK}
    if unknown := sorted(given.keys() - known):
        raise CeleryOpsError(
            f"celery knows no option {' and no '.join(map(repr, unknown))}: "
            f"it has {', '.join(sorted(known - {FEEDBACK}))}."
        )
    app, url = given.get("app"), given.get("broker_url")
    if bool(app) == bool(url):
        raise CeleryOpsError("celery needs either `app` or `broker_url`: give one of them.")
    number = partial(_number, given)
    halved = {
        name: number(f"{name}_low", number(f"{name}_high") / 2) for name in ("backlog", "failures")
    }
    for name, low in halved.items():
        if low >= number(f"{name}_high"):
            raise CeleryOpsError(f"`{name}_low` must be below `{name}_high`, and is {low:g}.")
    return Options(
        app=app,
        configuration=Path(given.get("configuration") or CONFIGURATION),
        broker=Broker(str(url), "the option `broker_url`", given.get("broker_options") or {})
        if url
        else None,
        interval=number("interval"),
        timeout=number("timeout"),
        queues=tuple(given.get("queues") or ()),
        thresholds=Thresholds(
            backlog_high=int(number("backlog_high")),
            backlog_low=int(halved["backlog"]),
            lost_after=number("lost_after"),
            failures_high=number("failures_high"),
            failures_low=halved["failures"],
            failures_window=number("failures_window"),
            failures_least=int(number("failures_least")),
        ),
    )


def _number(given: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = given.get(name)
    if value is None:
        value = NUMBERS[name] if default is None else default
    with suppress(TypeError, ValueError):
        if (number := float(value)) > 0 or (number == 0 and name.endswith("_low")):
            return number
    raise CeleryOpsError(f"`{name}` must be a number above 0, not {value!r}.")


@dataclass
class Watcher:
    """Looks at the cluster and tells what has happened."""

    options: Options
    _watch: Watch = field(init=False)
    _outcomes: Outcomes = field(init=False)
    # Without an inventory, what has been there so far is expected.
    _nodes: set[str] = field(default_factory=set)
    _queues: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._watch = Watch(self.options.thresholds)
        self._outcomes = Outcomes(self.options.cluster().broker)

    def look(self) -> list[Event]:
        """What has happened since the last look."""
        try:
            sight = self._sight()
        except CeleryOpsError as error:
            return self._watch.see_nothing(str(error), time.monotonic())
        return self._watch.see(sight, time.monotonic())

    def close(self) -> None:
        """End what runs in the background."""
        self._outcomes.close()

    def _sight(self) -> Sight:
        cluster = self.options.cluster()
        with Client(cluster.broker, self.options.timeout) as client:
            health = examine(client, cluster, Selection((ALL, *sorted(self._nodes))))
            backlog = {name: int(queue["backlog"]) for name, queue in health.queues.items()}
            # A queue whose nodes are all silent is not among those of the nodes.
            hidden = client.queue_sizes(self._queues - backlog.keys())
            backlog |= {name: size or 0 for name, size in hidden.items()}
        answering = health.nodes.keys() - health.missing
        if cluster.app is None:
            self._nodes |= answering
        self._queues = set(backlog)
        return Sight(
            backlog={name: size for name, size in backlog.items() if self.options.means(name)},
            answering=answering,
            expected=health.nodes.keys(),
            ended=self._outcomes.take(),
        )
