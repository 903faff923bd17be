"""The ledger: which pieces of work were done, and how often.

A Redis list to which the task `work` appends its id when it is through. Compare it with what was
sent: an id that is missing was lost, one that is there twice was done twice.
`python -m monitoring_app.ledger` prints the summary as JSON.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import TypedDict

from celery.app.backends import by_url
from celery.backends.redis import RedisBackend
from celery.exceptions import ImproperlyConfigured
from redis import Redis

from monitoring_app.celery import app
from monitoring_app.settings import get_settings

LEDGER = "monitoring_app:ledger"


class Summary(TypedDict):
    """The ledger in numbers."""

    done: int  # entries
    distinct: int  # different ids
    duplicates: dict[str, int]  # the ids there more than once, and how often


@cache
def client() -> Redis:
    """The Redis that holds the ledger: MONITORING_LEDGER_URL, or else the result backend's.

    It is opened the way Celery opens a result backend, so that Sentinel, TLS and time-outs work as
    they do there. ImproperlyConfigured if neither URL leads to a Redis.
    """
    url = get_settings().ledger_url or app.conf.result_backend
    backend_class, url = by_url(url, app.loader)
    if not issubclass(backend_class, RedisBackend):
        raise ImproperlyConfigured(
            "the ledger needs a Redis: set MONITORING_LEDGER_URL, as the result backend is none"
        )
    connected: Redis = backend_class(app=app, url=url).client
    return connected


def append(id: str) -> None:
    """Write down that the work `id` was done."""
    client().rpush(LEDGER, id)


def read() -> list[str]:
    """All ids in the order in which their work ended."""
    entries = client().lrange(LEDGER, 0, -1)
    return [entry.decode() if isinstance(entry, bytes) else entry for entry in entries]


def summary() -> Summary:
    """Count the ledger's entries."""
    counts = Counter(read())
    return Summary(
        done=counts.total(),
        distinct=len(counts),
        duplicates={id: count for id, count in counts.items() if count > 1},
    )


if __name__ == "__main__":
    print(json.dumps(summary()))
