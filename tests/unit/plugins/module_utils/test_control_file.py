# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import read_cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError

DOCUMENT: dict[str, Any] = {
    "app": "shop",
    "host": "worker1",
    "venv": "/opt/celeryops/shop/current/venv",
    "broker_url": "redis://:hunter2@broker1:6379/0",
    "broker_options": {"visibility_timeout": 7200},
    "broker_use_ssl": None,
    "control_exchange": "celery",
    "serializer": "json",
    "accept_content": ["json"],
    "nodes": {
        "cpu1@worker1": {
            "host": "worker1",
            "pool": "cpu",
            "kind": "prefork",
            "queues": ["default"],
            "size": 2,
            "release": "1.0.0-1a2b3c4d",
        },
        "io1@worker2": {
            "host": "worker2",
            "pool": "io",
            "kind": "threads",
            "queues": [],
            "size": 8,
            "release": None,
        },
    },
    "beats": ["celerybeat@dashboard1"],
}


def write(configuration: Path, app: str, text: str) -> None:
    (configuration / app).mkdir()
    (configuration / app / "control.json").write_text(text, encoding="utf-8")


def failure(configuration: Path, app: str) -> str:
    with pytest.raises(CeleryOpsError) as caught:
        read_cluster(app, configuration)
    return str(caught.value)


def test_a_control_file(tmp_path: Path) -> None:
    write(tmp_path, "shop", json.dumps(DOCUMENT))
    cluster = read_cluster("shop", tmp_path)
    assert (cluster.app, cluster.host) == ("shop", "worker1")
    assert cluster.venv == Path("/opt/celeryops/shop/current/venv")
    assert cluster.broker.url == "redis://:hunter2@broker1:6379/0"
    assert cluster.broker.origin == str(tmp_path / "shop" / "control.json")
    assert cluster.broker.options == {"visibility_timeout": 7200}
    assert cluster.broker.accept == ("json",)
    assert cluster.nodes["cpu1@worker1"].queues == ("default",)
    assert cluster.nodes["io1@worker2"].release is None
    assert cluster.local_nodes() == ["cpu1@worker1"]
    assert cluster.beats == {"celerybeat@dashboard1"}


def test_the_password_is_in_no_representation(tmp_path: Path) -> None:
    write(tmp_path, "shop", json.dumps(DOCUMENT))
    assert "hunter2" not in repr(read_cluster("shop", tmp_path))


def test_an_unknown_app(tmp_path: Path) -> None:
    assert failure(tmp_path, "shp") == "no app 'shp' on this host; known: none."
    write(tmp_path, "shop", "{}")
    write(tmp_path, "blog", "{}")
    assert failure(tmp_path, "shp") == "no app 'shp' on this host; known: blog, shop."


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "shop" / "control.json").mkdir(parents=True)
    assert "can't be read (Is a directory): run the task with `become: true`" in failure(
        tmp_path, "shop"
    )


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ('{"broker_url": "redis://:hunter2@b"', "not JSON in line 1"),
        ("[]", "'nodes' is missing"),
        (json.dumps({**DOCUMENT, "broker_url": ["hunter2"]}), "'broker_url' isn't of type str"),
        (json.dumps({**DOCUMENT, "nodes": {"a@b": "hunter2"}}), "'host' is missing"),
        (json.dumps({**DOCUMENT, "nodes": {"a@b": {"host": 1}}}), "'host' isn't of type str"),
        (json.dumps({**DOCUMENT, "accept_content": "json"}), "'accept_content' isn't of type list"),
    ],
)
def test_a_malformed_file(tmp_path: Path, text: str, flaw: str) -> None:
    write(tmp_path, "shop", text)
    sentence = failure(tmp_path, "shop")
    assert f"is malformed ({flaw}): run the playbook celeryops.cluster.site" in sentence
    assert "hunter2" not in sentence
