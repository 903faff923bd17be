from __future__ import annotations

import re

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._services import (
    exec_word,
    left_behind,
    overtaken_values,
    program_services,
    worker_services,
)

POOL = {"name": "cpu", "queues": ["default", "mail"], "concurrency": 2, "instances": 2}


def test_a_worker_instance_is_a_service() -> None:
    first, second = worker_services(
        [POOL],
        app="shop",
        host="w1",
        entry="celeryops_runtime.app:app",
        stop_timeout=60,
        watchdog=300,
    )
    assert (first["unit"], second["unit"]) == (
        "celery-shop-cpu@1.service",
        "celery-shop-cpu@2.service",
    )
    assert first["unit_file"] == second["unit_file"] == "celery-shop-cpu@.service"
    assert (first["instance"], second["instance"]) == ("cpu1", "cpu2")
    assert first["command"] == (
        "/opt/celeryops/shop/instances/%j%i/venv/bin/celery --app=celeryops_runtime.app:app worker "
        "--hostname=%j%i@w1 --pool=prefork --loglevel=INFO"
    )
    assert (first["type"], first["watchdog"]) == ("notify", 300)
    assert first["environment"] == {
        "CELERY_WORKER_CONCURRENCY": "2",
        "CELERY_WORKER_QUEUES": "default,mail",
    }


def test_limits_go_to_celery_and_to_the_unit() -> None:
    pool = POOL | {"time_limit": 60, "memory_max": "1G"}
    service = worker_services([pool], "shop", "w1", "shop:app", stop_timeout=60, watchdog=300)[0]
    assert service["command"].endswith(" --time-limit=60")
    assert service["limits"] == {"MemoryMax": "1G"}
    assert program_services([{"name": "api", "command": "gunicorn"}], "shop")[0]["limits"] == {}


def test_an_instance_has_a_log_file_of_its_own() -> None:
    service = worker_services(
        [POOL], "shop", "w1", "shop:app", stop_timeout=60, watchdog=300, log_files=True
    )[0]
    assert " --logfile=/var/log/celeryops/shop/%j%i.log " in service["command"]


def test_a_live_value_wins_over_the_instance() -> None:
    service = worker_services(
        [POOL], app="shop", host="w1", entry="shop:app", stop_timeout=60, watchdog=300
    )[0]
    assert service["environment_files"][1:] == [
        "/etc/celeryops/shop/instances/%j%i.env",
        "-/etc/celeryops/shop/pools/%j.env",
    ]


def test_seconds_from_the_command_line_make_the_same_service() -> None:
    entry = "celeryops_runtime.app:app"
    typed = worker_services([POOL], "shop", "w1", entry, stop_timeout=60, watchdog=300)
    assert worker_services([POOL], "shop", "w1", entry, "60", "300") == typed


def test_a_plain_app_gives_no_signs_of_life() -> None:
    service = worker_services(
        [POOL], app="shop", host="w1", entry="shop:app", stop_timeout=60, watchdog=300
    )[0]
    assert (service["type"], service["watchdog"]) == ("exec", 0)


LIVE = """\
CELERYOPS_DECLARED_SIZE=2
CELERY_WORKER_CONCURRENCY=8
CELERYOPS_DECLARED_QUEUES="default,mail"
CELERY_WORKER_QUEUES="default,mail,more"
"""


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, [0, 1, 2, 3]),
        ({"concurrency": 3}, [2, 3]),
        ({"concurrency": 22}, [2, 3]),
        ({"queues": ["default"]}, [0, 1]),
        ({"queues": ["default", "mail."], "concurrency": 4}, []),
    ],
)
def test_live_values_that_are_overtaken(changes: dict[str, object], left: list[int]) -> None:
    expression = overtaken_values([POOL | changes])["cpu.env"]
    lines = LIVE.splitlines(keepends=True)
    assert re.sub(expression, "", LIVE, flags=re.MULTILINE) == "".join(lines[i] for i in left)


def test_a_range_is_overtaken_when_it_is_no_longer_declared() -> None:
    live = "CELERYOPS_DECLARED_RANGE=4,1\nCELERY_WORKER_AUTOSCALE=8,2\n"
    ranged = {**POOL, "autoscale": {"min": 1, "max": 4}}
    del ranged["concurrency"]
    service = worker_services(
        [ranged], app="shop", host="w1", entry="shop:app", stop_timeout=60, watchdog=0
    )[0]
    assert service["environment"]["CELERY_WORKER_AUTOSCALE"] == "4,1"
    assert "CELERY_WORKER_CONCURRENCY" not in service["environment"]
    for pool, text in ((ranged, live), (POOL, "")):
        expression = overtaken_values([pool])["cpu.env"]
        assert re.sub(expression, "", live, flags=re.MULTILINE) == text


def test_options_of_a_pool() -> None:
    pool = POOL | {
        "prefetch_multiplier": 4,
        "environment": {"A": "1"},
        "extra_args": ["--without-gossip", "--statedb=a b"],
    }
    service = worker_services(
        [pool], app="shop", host="w1", entry="shop:app", stop_timeout=60, watchdog=0
    )[0]
    assert service["command"].endswith('--without-gossip "--statedb=a b"')
    assert service["environment"]["CELERY_WORKER_PREFETCH_MULTIPLIER"] == 4
    assert service["environment"]["A"] == "1"


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain-1.0", "plain-1.0"),
        ("50%", "50%%"),
        ("$HOME", '"$$HOME"'),
        ('a "b" \\', '"a \\"b\\" \\\\"'),
        ("", '""'),
    ],
)
def test_words_of_a_command_line(word: str, written: str) -> None:
    assert exec_word(word) == written


def test_a_program_is_a_service() -> None:
    service = program_services([{"name": "api", "command": "gunicorn shop:wsgi"}], "shop")[0]
    assert service["unit"] == service["unit_file"] == "celery-shop-api.service"
    assert service["command"] == "/opt/celeryops/shop/instances/api/venv/bin/gunicorn shop:wsgi"
    assert service["environment_files"] == [
        "/etc/celeryops/shop/worker.env",
        "/etc/celeryops/shop/instances/api.env",
    ]


UNITS = "/etc/systemd/system"
LINKS = "/opt/celeryops/shop/instances"
STARTED = "/etc/celeryops/shop/instances"


def test_what_instances_and_pools_that_have_left_leave_behind() -> None:
    services = worker_services([POOL], "shop", "w1", "shop:app", stop_timeout=60, watchdog=0)
    found = [
        f"{UNITS}/celery-shop-cpu@.service",
        f"{UNITS}/celery-shop-old@.service",
        f"{UNITS}/celery-shop-alert@.service",
        *(f"{UNITS}/multi-user.target.wants/celery-shop-cpu@{n}.service" for n in (1, 2, 3)),
        f"{LINKS}/cpu4",
        f"{STARTED}/cpu5.env",
        f"{STARTED}/old1.env",
        f"{STARTED}/program2.env",
    ]
    left = left_behind(services, "shop", found, alerts=True)
    assert left == {
        "instances": ["cpu3", "cpu4", "cpu5", "old1"],
        "started_with": [f"{STARTED}/{name}.env" for name in ("cpu3", "cpu4", "cpu5", "old1")],
        "files": [
            *(f"{LINKS}/{name}" for name in ("cpu3", "cpu4", "cpu5", "old1")),
            f"{UNITS}/celery-shop-old@.service",
            "/etc/celeryops/shop/pools/old.env",
        ],
    }


def test_an_instance_that_is_still_ending_keeps_its_link_and_its_unit() -> None:
    found = [f"{UNITS}/celery-shop-old@.service", f"{LINKS}/old1", f"{LINKS}/old2"]
    left = left_behind([], "shop", found, alerts=False, ending=["old2"])
    assert left["instances"] == ["old1", "old2"]
    assert left["files"] == [f"{LINKS}/old1"]


def test_the_unit_of_alerts_leaves_with_them() -> None:
    found = ["/etc/systemd/system/celery-shop-alert@.service"]
    assert found[0] not in left_behind([], "shop", found, alerts=True)["files"]
    assert found[0] in left_behind([], "shop", found, alerts=False)["files"]
