# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: the limits of a pool, Celery's own and systemd's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Kinds that keep Celery's limits; the others run on without a word.
_KEEPS = {
    "soft_time_limit": ("prefork",),
    "time_limit": ("prefork", "gevent"),
    "max_tasks_per_child": ("prefork",),
    "max_memory_per_child": ("prefork",),
}
_WHOLE = re.compile(r"[1-9][0-9]*\Z"), "a whole number of 1 or more"
_MEMORY = re.compile(r"[1-9][0-9]*[KMG]\Z"), "a size such as 500M or 2G"
_NICE = re.compile(r"(1?[0-9]|-(1?[0-9]|20))\Z"), "a whole number from -20 to 19"
_SHARE = re.compile(r"[1-9][0-9]*%\Z"), "a share of one processor, such as 50% or 200%"
_FORMS = {
    "soft_time_limit": _WHOLE,
    "time_limit": _WHOLE,
    "max_tasks_per_child": _WHOLE,
    "max_memory_per_child": _MEMORY,
    "nice": _NICE,
    "cpu_quota": _SHARE,
    "memory_max": _MEMORY,
}
LIMITS = tuple(_FORMS)
_UNIT = {"nice": "Nice", "cpu_quota": "CPUQuota", "memory_max": "MemoryMax"}
_KIBIBYTES = {"K": 1, "M": 1024, "G": 1024 * 1024}


def limit_problems(pool: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the limits of `pool`: the end of a sentence each."""
    kind = pool.get("kind", "prefork")
    for option, (form, hint) in _FORMS.items():
        value = pool.get(option)
        if value is None:
            continue
        if isinstance(value, bool) or not form.match(str(value)):
            yield f"has {option} {value}: use {hint}."
        elif kind not in _KEEPS.get(option, (kind,)):
            yield f"has {option}, which kind '{kind}' does not keep: use {_kinds(option)}."
    soft, hard = (str(pool.get(name)) for name in ("soft_time_limit", "time_limit"))
    if _WHOLE[0].match(soft) and _WHOLE[0].match(hard) and int(soft) >= int(hard):
        yield f"has soft_time_limit {soft} and time_limit {hard}: the soft one must come earlier."


def _kinds(option: str) -> str:
    return " or ".join(_KEEPS[option])


def celery_options(pool: Mapping[str, Any]) -> list[str]:
    """The limits that Celery keeps, as options of `celery worker`."""
    return [
        f"--{option.replace('_', '-')}={_value(option, pool[option])}"
        for option in _KEEPS
        if pool.get(option) is not None
    ]


def _value(option: str, value: Any) -> Any:
    if option != "max_memory_per_child":
        return value
    return _kibibytes(value)


def _kibibytes(size: Any) -> int:
    return int(str(size)[:-1]) * _KIBIBYTES[str(size)[-1]]


def unit_settings(pool: Mapping[str, Any]) -> dict[str, str]:
    """The limits that systemd keeps, as settings of the section [Service]."""
    return {
        setting: str(pool[option])
        for option, setting in _UNIT.items()
        if pool.get(option) is not None
    }


def memory_problem(services: Iterable[Mapping[str, Any]], host: str, meminfo: str) -> str:
    """Why these services can't start beside what runs on a host; empty if they can.

    Args:
        services: As `worker_services` gives them; one without a limit of memory isn't counted.
        host: The name of the host.
        meminfo: The content of its /proc/meminfo.
    """
    taken = {
        service["instance"]: service["limits"]["MemoryMax"]
        for service in services
        if "MemoryMax" in service["limits"]
    }
    needed = sum(_kibibytes(limit) for limit in taken.values())
    found = re.search(r"^MemAvailable:\s*([0-9]+) kB$", meminfo, re.MULTILINE)
    if found is None or needed <= int(found.group(1)):
        return ""
    told = ", ".join(f"{instance} {limit}" for instance, limit in taken.items())
    return (
        f"{host} has {int(found.group(1)) // 1024}M of memory available, and the instances that "
        f"surge starts beside the old ones may take {needed // 1024}M ({told}): free memory, lower "
        "memory_max in celery_worker_pools, or set celery_worker_strategy to drain."
    )
