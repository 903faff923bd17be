# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: in which batches hosts change, and how that is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain, repeat


def batches(hosts: Sequence[str], serial: Sequence[int | str]) -> list[list[str]]:
    """The hosts in batches: the last size holds until all hosts have their batch.

    Args:
        hosts: In the order in which they change.
        serial: Sizes as Ansible's `serial` has them, a number or a share of all hosts like "25%".

    Raises:
        ValueError: A size is neither, or there is none.
    """
    sizes = [_size(entry, len(hosts)) for entry in serial]
    if not sizes:
        raise ValueError("no size of a batch is given: write a list such as [1, '25%']")
    found: list[list[str]] = []
    rest = list(hosts)
    for size in chain(sizes, repeat(sizes[-1])):
        if not rest:
            return found
        found.append(rest[:size])
        rest = rest[size:]
    return found


def plan_lines(
    planned: Sequence[Sequence[str]],
    running: Mapping[str, Sequence[str]],
    release: str,
    workers: Sequence[str],
    surging: Collection[str] = (),
) -> list[str]:
    """A line for each batch in which anything changes, and one for the hosts where nothing does.

    Args:
        planned: The batches.
        running: By host that changes, the releases that its instances run.
        release: The release that they get.
        workers: All hosts of the cluster that work, also those that are in no batch.
        surging: The hosts that keep working while they change.
    """
    lines = []
    for number, batch in enumerate(planned, 1):
        changing = [host for host in batch if host in running]
        if changing:
            told = ", ".join(f"{host} ({_from(running[host], release)})" for host in changing)
            working = [host for host in workers if host not in changing or host in surging]
            lines.append(
                f"Batch {number} of {len(planned)}: {told}; "
                f"{len(working)} of {len(workers)} hosts keep working"
            )
    if kept := [host for host in chain.from_iterable(planned) if host not in running]:
        lines.append(f"Nothing that runs changes on {', '.join(kept)}")
    return lines


def _from(running: Sequence[str], release: str) -> str:
    old = sorted(set(running) - {release})
    return f"{' and '.join(old)} -> {release}" if old else f"{release}, other configuration"


def _size(entry: int | str, hosts: int) -> int:
    text = str(entry)
    number = text.removesuffix("%")
    if not number.isdecimal() or not int(number):
        raise ValueError(f"'{text}' is no size of a batch: write a number, or a share like 25%")
    return max(1, hosts * int(number) // 100) if text.endswith("%") else int(number)
