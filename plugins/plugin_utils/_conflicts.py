# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what each fits alone but not with the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._doctor import routed_queues
from ansible_collections.celeryops.cluster.plugins.plugin_utils._guesses import did_you_mean


def conflicts(
    pools: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    stop_timeout: int | str,
    foreign_queues: Sequence[str],
) -> list[str]:
    """A sentence for each conflict between all pools of a cluster, its settings and its stop.

    `settings` is what celery_settings lays over the application's own. Others consume the
    `foreign_queues`. `stop_timeout` is in seconds, as a text when it comes from the command line.
    """
    found = [
        *_long_tasks(pools, settings, int(stop_timeout)),
        *_unserved_routes(pools, settings, foreign_queues),
    ]
    return list(dict.fromkeys(found))


def _long_tasks(
    pools: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], stop_timeout: int
) -> Iterator[str]:
    for place, limit in _hard_limits(pools, settings):
        if isinstance(limit, (int, float)) and limit > stop_timeout:
            yield (
                f"{place} {limit} is longer than celery_worker_stop_timeout {stop_timeout}: "
                "a worker that stops would kill such a task; raise the stop timeout above it."
            )


def _hard_limits(
    pools: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    for pool in pools:
        yield (
            f"celery_worker_pools: pool '{pool.get('name')}': time_limit",
            _number(pool.get("time_limit")),
        )
    yield "celery_settings: task_time_limit", settings.get("task_time_limit")
    annotations = settings.get("task_annotations")
    for task, entry in (annotations if isinstance(annotations, Mapping) else {}).items():
        if isinstance(entry, Mapping):
            yield (
                f"celery_settings: task_annotations of '{task}': time_limit",
                entry.get("time_limit"),
            )


def _number(value: Any) -> int | None:
    return int(value) if str(value).isdigit() else None


def _unserved_routes(
    pools: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    foreign_queues: Sequence[str],
) -> Iterator[str]:
    served = {str(queue) for pool in pools for queue in pool.get("queues") or []}
    served.update(foreign_queues)
    for task, queue in routed_queues(settings).items():
        if queue not in served:
            yield (
                f"celery_settings: task_routes sends '{task}' to queue '{queue}', which no pool "
                f"consumes{did_you_mean(queue, served)}: add it to a pool of celery_worker_pools, "
                "or to celery_app_foreign_queues if others do."
            )
