"""Mistakes about brokers: one sentence with the cause and the fix, and nothing changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

Site = Callable[..., Any]
Inventory = Callable[[list[str]], Path]

MEMBERS = "/var/lib/rabbitmq/mnesia/rabbit@broker2/cluster_nodes.config"


def refused(site: Site, sentence: str, **variables: Any) -> None:
    run = site("--limit=celery_broker", **variables)
    assert run.errors, run.output
    assert all(sentence in error and error.endswith(".") for error in run.errors)
    assert set(run.changed.values()) == {0}


@pytest.fixture
def with_brokers(inventory: Path, tmp_path: Path) -> Inventory:
    """The inventory with these hosts as brokers."""

    def copied(brokers: list[str]) -> Path:
        copy = tmp_path / "inventory"
        shutil.copytree(inventory, copy)
        file = copy / "ansible_inventory.yml"
        groups = yaml.safe_load(file.read_text(encoding="utf-8"))
        everyone = groups["all"]["hosts"]
        groups["celery_broker"]["hosts"] = {name: everyone[name] for name in brokers}
        file.write_text(yaml.safe_dump(groups), encoding="utf-8")
        return copy

    return copied


@pytest.fixture
def foreign_member(cluster: dict[str, Host]) -> Iterator[None]:
    """broker2 seems to be in a cluster with a node that nobody knows."""
    cluster["broker2"].check_output(f"cp --preserve {MEMBERS} {MEMBERS}.kept")
    cluster["broker2"].check_output(f"sed -i s/rabbit@broker3/rabbit@stranger/g {MEMBERS}")
    yield
    cluster["broker2"].check_output(f"mv {MEMBERS}.kept {MEMBERS}")


@pytest.mark.parametrize(
    "brokers", [["broker1", "broker2"], ["broker1", "broker2", "broker3", "worker1"]]
)
def test_an_even_number_of_brokers_is_refused(
    site: Site, with_brokers: Inventory, brokers: list[str]
) -> None:
    sentence = f"holds {len(brokers)} hosts: an even number has no majority"
    refused(site, sentence, inventory=with_brokers(brokers))


def test_a_broker_of_another_cluster_is_refused(site: Site, foreign_member: None) -> None:
    refused(site, "RabbitMQ on broker2 is in a cluster with rabbit@stranger")


def test_another_cookie_is_refused(site: Site) -> None:
    refused(site, "isn't celery_broker_cookie_secret", celery_broker_cookie_secret="another" * 5)


def test_a_broker_whose_name_does_not_resolve_is_refused(site: Site) -> None:
    sentence = "can't resolve 'nowhere.invalid'"
    refused(site, sentence, celery_address="nowhere.invalid")


def test_results_without_a_place_are_refused(site: Site, with_brokers: Inventory) -> None:
    copy = with_brokers(["broker1", "broker2", "broker3"])
    file = copy / "ansible_inventory.yml"
    groups = yaml.safe_load(file.read_text(encoding="utf-8"))
    del groups["celery_backend"]
    file.write_text(yaml.safe_dump(groups), encoding="utf-8")
    refused(site, "the inventory group celery_backend is empty", inventory=copy)
