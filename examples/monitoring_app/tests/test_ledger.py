from __future__ import annotations

from collections.abc import Callable

import pytest
from celery.exceptions import ImproperlyConfigured

from monitoring_app import ledger


@pytest.fixture(autouse=True)
def new_client() -> None:
    ledger.client.cache_clear()


@pytest.mark.usefixtures("redis_lists")
def test_summary() -> None:
    for entry in ("a", "b", "a", "c", "a"):
        ledger.append(entry)
    assert ledger.summary() == {"done": 5, "distinct": 3, "duplicates": {"a": 3}}


@pytest.mark.usefixtures("redis_lists")
def test_an_empty_ledger() -> None:
    assert ledger.summary() == {"done": 0, "distinct": 0, "duplicates": {}}


def test_a_ledger_of_its_own(configure: Callable[..., None]) -> None:
    configure(ledger_url="redis://ledger.test:6380/3")
    options = ledger.client().connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["db"]) == ("ledger.test", 6380, 3)


def test_no_redis_at_all(configure: Callable[..., None]) -> None:
    configure()
    with pytest.raises(ImproperlyConfigured, match="set MONITORING_LEDGER_URL"):
        ledger.client()
