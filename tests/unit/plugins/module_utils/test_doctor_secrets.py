# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._doctor_secrets import (
    Redactor,
    documents,
    known_secrets,
    worker_broker_url,
)
from ansible_collections.celeryops.cluster.plugins.plugin_utils._systemd import environment_file

# All that a URL, a shell, a unit, JSON or Redis would take for something else.
PASSWORD = "p@ss/w:rd%25#\"'$x\\y"
WORKER_PASSWORD = "w0rker-passw0rd"
OLD_PASSWORD = "0ld-passw0rd"
FLOWER_PASSWORD = "flower,passw0rd"
COOKIE = "c00kie-secret"
HOOK = "https://hooks.example.org/services/T0001/abcDEF0123456789xyz?token=t0ken-in-url"
CONTROL = {
    "app": "shop",
    "broker_url": f"redis://:{quote(PASSWORD, safe='')}@b:6379/0",
    "management_url": None,
    "broker_options": {"sentinel_kwargs": {"password": "s3ntinel"}},
    "security": {"key": "/etc/celeryops/shop/worker.key"},
}
SETTINGS = {"task_routes": {"shop.mail": "mail"}, "task_acks_late": True}


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """The files of an app as the roles write them, and Redis's."""
    app = tmp_path / "shop"
    (app / "previous").mkdir(parents=True)
    broker_url = f"amqp://worker:{WORKER_PASSWORD}@b1/shop;amqp://worker:{OLD_PASSWORD}@b2/shop"
    environment = {"CELERY_BROKER_URL": broker_url, "SHOP_API_KEY": "$key 'in' \"quotes\""}
    files: dict[str, Any] = {
        "control.json": json.dumps(CONTROL),
        "settings.json": json.dumps(SETTINGS),
        "alerts.json": json.dumps({"webhook": {"url": HOOK}}),
        "worker.env": environment_file(environment),
        "flower.env": environment_file(
            {
                "FLOWER_BASIC_AUTH": f"admin:{FLOWER_PASSWORD}",
                "FLOWER_COOKIE_SECRET": COOKIE,
            }
        ),
        "previous/worker.env": "# older\nSHOP_TOKEN=t0ken-of-yesterday\n",
        "pip.conf": "[global]\nindex-url = https://me:1ndex-passw0rd@packages.example.org/simple\n",
        "broken.json": "{",
    }
    for name, text in files.items():
        (app / name).write_text(text, encoding="utf-8")
    redis = f"port 6379\nrequirepass {json.dumps(PASSWORD)}\nmasterauth pla1n-passw0rd\n"
    (tmp_path / "redis.conf").write_text(redis, encoding="utf-8")
    return tmp_path


@pytest.fixture
def redactor(configuration: Path) -> Redactor:
    return Redactor(known_secrets("shop", configuration, configuration / "redis.conf"))


SECRETS = [
    PASSWORD,
    quote(PASSWORD, safe=""),
    json.dumps(PASSWORD)[1:-1],
    repr(PASSWORD)[1:-1],
    WORKER_PASSWORD,
    OLD_PASSWORD,
    FLOWER_PASSWORD,
    COOKIE,
    "$key 'in' \"quotes\"",
    "t0ken-of-yesterday",
    "1ndex-passw0rd",
    "pla1n-passw0rd",
    "s3ntinel",
    "abcDEF0123456789xyz",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "text",
    ["{}", "it said {} to me", "Traceback: connect('{}')", "https://x.example.org/{}/y", "n={}"],
)
def test_what_the_files_hold_appears_nowhere(redactor: Redactor, secret: str, text: str) -> None:
    cleaned = redactor.clean({"log": [text.format(secret)], text.format(secret): 1})
    assert secret not in str(cleaned)
    assert secret not in json.dumps(cleaned)


@pytest.mark.parametrize(
    "text",
    [
        "amqp://me:unkn0wn@b/v",
        "GET https://x.example.org/y?token=unkn0wn&z=1",
        "password=unkn0wn",
        '{"api_key": "unkn0wn"}',
    ],
)
def test_what_looks_like_a_secret_appears_nowhere(redactor: Redactor, text: str) -> None:
    assert "unkn0wn" not in redactor.clean(text)


def test_a_whole_configuration(redactor: Redactor, configuration: Path) -> None:
    files = documents("shop", configuration)
    assert files == {"control.json": CONTROL, "settings.json": SETTINGS}
    cleaned = redactor.clean(files)
    assert cleaned["settings.json"] == SETTINGS
    assert cleaned["control.json"]["broker_url"] == "redis://:***@b:6379/0"
    assert not [secret for secret in SECRETS if secret in json.dumps(cleaned)]


def test_what_is_no_secret_stays(redactor: Redactor) -> None:
    said = ["cpu1@w1 is ready", 17, None, True, "/etc/celeryops/shop/worker.key", "simple", "b1"]
    assert redactor.clean(said) == said


def test_without_files(tmp_path: Path) -> None:
    assert known_secrets("shop", tmp_path, tmp_path / "redis.conf") == set()
    assert documents("shop", tmp_path) == {}
    assert worker_broker_url("shop", tmp_path)[1] is None
    assert Redactor(()).clean("redis://:unkn0wn@b") == "redis://:***@b"


def test_the_url_of_workers(configuration: Path) -> None:
    path, url = worker_broker_url("shop", configuration)
    assert path == str(configuration / "shop/worker.env")
    assert str(url).startswith(f"amqp://worker:{WORKER_PASSWORD}@b1/shop;")
