# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: which of the kept releases a rollback brings back.

A release that is complete on a host has a file `release.json` there; one that has proved itself on
the workers of a host, a file `ran`, which is as old as the last change to this release.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

_COMPLETE = "release.json"
_RAN = "ran"
Times = dict[str, float]


def rollback(found: Mapping[str, Mapping[str, Any]], wanted: str = "") -> dict[str, Any]:
    """The release that a rollback brings back.

    By default that is the last one that ran before the newest that runs. While a change is only
    half done, two releases run; so a rollback that was interrupted goes on to where it wanted to,
    and an update that was interrupted is taken back. What runs without having proved itself is
    newer than all that have.

    Args:
        found: By host that runs the application's code, the `marks` that stand in its releases, as
            `path` and `mtime`, and in `runs` the releases that its links lead to.
        wanted: The release that is named, if one is.

    Returns:
        `release`, its name; `left`, those that ran after it, which are no way back any more; and
        `problem`, a sentence if it can't be brought back.
    """
    complete = {host: _marked(_COMPLETE, [kept]) for host, kept in sorted(found.items())}
    ran = _marked(_RAN, found.values())
    running = {release for kept in found.values() for release in kept["runs"]}
    release = wanted or _before(running, ran)
    return {
        "release": release,
        "left": sorted(name for name, time in ran.items() if time > ran.get(release, math.inf)),
        "problem": _lacking(release, complete) if release else _nothing(running, complete),
    }


def _marked(mark: str, kept: Iterable[Mapping[str, Any]]) -> Times:
    """The releases with such a mark, and when the latest of it was made."""
    times: Times = {}
    for file in chain.from_iterable(host["marks"] for host in kept):
        path = Path(file["path"])
        if path.name == mark:
            release = path.parent.name
            times[release] = max(file["mtime"], times.get(release, 0))
    return times


def _before(running: Iterable[str], ran: Times) -> str:
    newest = max((ran.get(release, math.inf) for release in running), default=math.inf)
    older = {release: time for release, time in ran.items() if time < newest}
    return max(older, key=older.__getitem__, default="")


def _lacking(release: str, complete: Mapping[str, Times]) -> str:
    lacking = [
        f"{host} keeps {_listed(kept)}" for host, kept in complete.items() if release not in kept
    ]
    if not lacking:
        return ""
    return (
        f"Release {release} can't be brought back, since it isn't complete on every host: "
        f"{'; '.join(lacking)}. Name another one in celery_app_release, or install it with the "
        "playbook rolling_update."
    )


def _nothing(running: Collection[str], complete: Mapping[str, Times]) -> str:
    if not running:
        return "No host of this run runs the application: name others with --limit."
    everywhere = set.intersection(*(set(kept) for kept in complete.values())) - set(running)
    latest = {release: max(kept[release] for kept in complete.values()) for release in everywhere}
    return (
        f"No release is known to have run before {' and '.join(sorted(running))}; every host keeps "
        f"{_listed(latest)} beside it: name one in celery_app_release, or install an earlier one "
        "with the playbook rolling_update."
    )


def _listed(kept: Times) -> str:
    """The releases, the latest first."""
    return ", ".join(sorted(kept, key=lambda release: -kept[release])) or "none"
