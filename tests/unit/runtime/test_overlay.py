"""The overlay reaches the tasks of an app however the app is configured."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab

from celeryops_runtime import SetupError
from celeryops_runtime._loading import load
from celeryops_runtime._overlay import UNLISTED_SETTINGS, read_overlay

OVERLAY = {"task_acks_late": True, "worker_prefetch_multiplier": 1}

TASKS = """
@app.task(name="plain")
def plain(): ...

@app.task(name="explicit", acks_late=False)
def explicit(): ...
"""

APPS = {
    "attributes": """
        app = Celery("shop")
        app.conf.task_acks_late = False
        app.conf.worker_prefetch_multiplier = 8
        {tasks}
        """,
    "attributes of the old names": """
        app = Celery("shop")
        app.conf.CELERY_ACKS_LATE = False
        app.conf.CELERYD_PREFETCH_MULTIPLIER = 8
        {tasks}
        """,
    "arguments": """
        app = Celery("shop", task_acks_late=False, worker_prefetch_multiplier=8)
        {tasks}
        """,
    "a module": """
        app = Celery("shop")
        app.config_from_object("shop_settings")
        {tasks}
        """,
    "a class": """
        class Config:
            task_acks_late = False
            worker_prefetch_multiplier = 8
        app = Celery("shop")
        app.config_from_object(Config)
        {tasks}
        """,
    "a class, read at once": """
        class Config:
            task_acks_late = False
            worker_prefetch_multiplier = 8
        app = Celery("shop")
        app.config_from_object(Config, force=True)
        {tasks}
        """,
    "a namespace, as in Django": """
        class Settings:
            CELERY_TASK_ACKS_LATE = False
            CELERY_WORKER_PREFETCH_MULTIPLIER = 8
        app = Celery("shop")
        app.config_from_object(Settings, namespace="CELERY")
        {tasks}
        """,
    "a namespace, and attributes in it": """
        app = Celery("shop")
        app.config_from_object(object(), namespace="CELERY")
        app.conf.CELERY_TASK_ACKS_LATE = False
        {tasks}
        app.tasks
        app.conf.CELERY_WORKER_PREFETCH_MULTIPLIER = 8
        """,
    "attributes after all tasks are bound": """
        app = Celery("shop")
        {tasks}
        app.tasks
        app.conf.task_acks_late = False
        app.conf.worker_prefetch_multiplier = 8
        """,
    "attributes after a look at them, before a task is bound": """
        app = Celery("shop")
        app.conf.broker_url
        app.conf.task_acks_late = False
        {tasks}
        plain.s(), explicit.s()
        app.conf.worker_prefetch_multiplier = 8
        """,
    "a second configuration": """
        app = Celery("shop")
        app.conf.broker_url
        app.config_from_object({{"task_acks_late": False, "worker_prefetch_multiplier": 8}})
        {tasks}
        app.tasks
        """,
    "defaults added late": """
        app = Celery("shop")
        app.conf.broker_url
        app.add_defaults({{"task_acks_late": False, "worker_prefetch_multiplier": 8}})
        {tasks}
        app.tasks
        """,
    "a class of its own that looks at them when created": """
        class Shop(Celery):
            def on_init(self):
                self.conf.task_acks_late
        app = Shop("shop")
        {tasks}
        app.tasks
        """,
}


@pytest.fixture
def load_app(
    write_module: Callable[[str, str], Path], write_settings: Callable[[Any], Path]
) -> Callable[..., Celery]:
    """Loads an app of some source under an overlay."""

    def load_source(source: str, overlay: dict[str, Any]) -> Celery:
        lines = [line.removeprefix("        ") for line in source.splitlines()]
        source = "\n".join(["from celery import Celery, shared_task", *lines])
        write_module("shop_settings", "task_acks_late = False\nworker_prefetch_multiplier = 8\n")
        write_module("shop", source)
        return load(
            {"CELERYOPS_APP": "shop:app", "CELERYOPS_SETTINGS": str(write_settings(overlay))}
        )

    return load_source


@pytest.mark.parametrize("configured_by", APPS)
def test_overlay_reaches_settings_and_tasks(
    configured_by: str, load_app: Callable[..., Celery]
) -> None:
    app = load_app(APPS[configured_by].format(tasks=TASKS), OVERLAY)

    assert app.conf.task_acks_late is True
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.tasks["plain"].acks_late is True
    assert app.tasks["explicit"].acks_late is False


def test_overlay_reaches_shared_tasks_imported_later(
    load_app: Callable[..., Celery], write_module: Callable[[str, str], Path]
) -> None:
    write_module(
        "shop_tasks",
        """
        from celery import shared_task

        @shared_task(name="shared")
        def shared(): ...
        """,
    )
    app = load_app("app = Celery('shop', include=['shop_tasks'])", OVERLAY)
    app.loader.import_default_modules()
    assert app.tasks["shared"].acks_late is True


def test_overlay_goes_along_when_celery_pickles_the_app(load_app: Callable[..., Celery]) -> None:
    app = load_app("app = Celery('shop')\napp.conf.task_acks_late", OVERLAY)
    assert pickle.loads(pickle.dumps(app)).conf.task_acks_late is True


def test_only_the_chosen_app_keeps_the_overlay(load_app: Callable[..., Celery]) -> None:
    app = load_app(
        """
        app = Celery("shop")
        early = app.early = Celery("early", task_acks_late=False)
        early.conf.task_acks_late
        late = app.late = Celery("late", task_acks_late=False)
        """,
        OVERLAY,
    )
    assert app.conf.task_acks_late is True
    assert app.early.conf.task_acks_late is False
    assert app.early.conf.worker_prefetch_multiplier == 4
    assert app.late.conf.task_acks_late is False


def test_apps_created_after_the_import_are_left_alone(load_app: Callable[..., Celery]) -> None:
    load_app("app = Celery('shop')", OVERLAY)
    assert Celery("other").conf.task_acks_late is False


def test_no_overlay_changes_nothing(write_module: Callable[[str, str], Path]) -> None:
    write_module("shop", "from celery import Celery\napp = Celery('shop')")
    app = load({"CELERYOPS_APP": "shop:app"})
    assert app.conf.task_acks_late is False


def test_an_app_that_was_there_before_is_refused(load_app: Callable[..., Celery]) -> None:
    with pytest.raises(SetupError, match="'shop:app' existed before the settings could be laid"):
        load_app("from celery import current_app as app", OVERLAY)


def test_schedule_of_the_overlay_stands_beside_periodic_tasks(
    load_app: Callable[..., Celery],
) -> None:
    app = load_app(
        """
        app = Celery("shop")

        @app.on_after_configure.connect
        def add(sender, **_):
            sender.add_periodic_task(5, sender.signature("own"), name="own")
        """,
        {
            "beat_schedule": {
                "seconds": {"task": "a", "schedule": 30},
                "crontab": {"task": "b", "schedule": {"crontab": {"minute": "*/5", "hour": 3}}},
            }
        },
    )
    schedule = app.conf.beat_schedule
    assert schedule["seconds"] == {"task": "a", "schedule": 30}
    assert schedule["crontab"]["schedule"] == crontab(minute="*/5", hour=3)
    assert schedule["own"]["task"] == "own"


# How an app comes to options of its own, before and after it has configured itself.
WITH_OPTIONS = {
    "an attribute": "app.conf.broker_transport_options = {options}",
    "an attribute of the old name": "app.conf.BROKER_TRANSPORT_OPTIONS = {options}",
    "an attribute after all tasks are bound": """
        app.tasks
        app.conf.broker_transport_options = {options}
        """,
    "an addition": """
        app.tasks
        app.conf.broker_transport_options.update({options})
        """,
    "a namespace": """
        class Settings:
            CELERY_BROKER_TRANSPORT_OPTIONS = {options}
        app.config_from_object(Settings, namespace="CELERY")
        """,
    "a second configuration": """
        app.conf.broker_url
        app.config_from_object({{"broker_transport_options": {options}}})
        """,
}


@pytest.mark.parametrize("given_by", WITH_OPTIONS)
def test_options_are_laid_over_the_apps_one_by_one(
    given_by: str, load_app: Callable[..., Celery]
) -> None:
    own = {"queue_order_strategy": "priority", "sentinel_kwargs": {"password": "x"}}
    source = "app = Celery('shop')\n" + dedent(WITH_OPTIONS[given_by]).format(options=own)
    overlay = {"socket_timeout": 5, "sentinel_kwargs": {"socket_timeout": 1}}
    app = load_app(source, {"broker_transport_options": overlay})
    options = app.conf.broker_transport_options
    assert options["socket_timeout"] == 5
    assert options["queue_order_strategy"] == "priority"
    if given_by != "an addition":
        assert options["sentinel_kwargs"] == {"password": "x", "socket_timeout": 1}


def test_an_option_of_the_overlay_wins(load_app: Callable[..., Celery]) -> None:
    app = load_app(
        "app = Celery('shop')\napp.conf.broker_transport_options = {'socket_timeout': 30}",
        {"broker_transport_options": {"socket_timeout": 5}},
    )
    assert app.conf.broker_transport_options == {"socket_timeout": 5}


def test_routes_and_annotations_are_merged_entry_by_entry(load_app: Callable[..., Celery]) -> None:
    app = load_app(
        """
        app = Celery("shop")
        app.conf.task_routes = {"shop.*": {"queue": "all"}, "shop.pay": {"queue": "own"}}
        app.conf.task_annotations = {"plain": {"rate_limit": "1/s"}, "other": {"priority": 1}}
        @app.task(name="plain")
        def plain(): ...
        """,
        {
            "task_routes": {"shop.pay*": {"queue": "money"}, "shop.pay": {"priority": 9}},
            "task_annotations": {"plain": {"time_limit": 5}},
        },
    )
    router = app.amqp.router
    assert router.route({}, "shop.pay")["priority"] == 9
    assert router.route({}, "shop.payback")["queue"].name == "money"
    assert router.route({}, "shop.ship")["queue"].name == "all"
    assert app.tasks["plain"].time_limit == 5
    assert app.tasks["plain"].rate_limit is None
    assert app.conf.task_annotations["other"] == {"priority": 1}


def test_routes_of_the_overlay_alone(load_app: Callable[..., Celery]) -> None:
    routes = {"shop.*": {"queue": "all"}, "shop.pay": None}
    app = load_app("app = Celery('shop')", {"task_routes": routes})
    assert app.conf.task_routes == {"shop.*": {"queue": "all"}}


def test_routes_that_are_no_mapping_are_replaced(load_app: Callable[..., Celery]) -> None:
    app = load_app(
        "app = Celery('shop')\napp.conf.task_routes = [{'shop.*': 'all'}]",
        {"task_routes": {"shop.pay": "money"}},
    )
    assert app.conf.task_routes == {"shop.pay": "money"}


def test_the_apps_own_schedule_stays_beside_that_of_the_overlay(
    load_app: Callable[..., Celery],
) -> None:
    app = load_app(
        """
        app = Celery("shop")
        app.conf.beat_schedule = {
            "own": {"task": "a", "schedule": 60},
            "both": {"task": "b", "schedule": 60, "args": (1,)},
            "dropped": {"task": "c", "schedule": 60},
        }
        """,
        {"beat_schedule": {"both": {"task": "b", "schedule": 5}, "dropped": None}},
    )
    assert app.conf.beat_schedule == {
        "own": {"task": "a", "schedule": 60},
        "both": {"task": "b", "schedule": 5},
    }


def test_periodic_tasks_of_another_app_stay_there(load_app: Callable[..., Celery]) -> None:
    app = load_app(
        """
        other = Celery("other")
        other.conf.beat_schedule
        other.add_periodic_task(5, other.signature("other"), name="other")
        app = Celery("shop")
        """,
        {"beat_schedule": {"own": {"task": "a", "schedule": 30}}},
    )
    assert list(app.conf.beat_schedule) == ["own"]


@pytest.mark.parametrize("name", ["task_acks_late", *UNLISTED_SETTINGS])
def test_settings_of_celery_are_known(name: str, write_settings: Callable[[Any], Path]) -> None:
    assert read_overlay(write_settings({name: 1}), {}) == {name: 1}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"task_ack_late": True}, r"'task_ack_late' \(did you mean 'task_acks_late'\?\)\.$"),
        ({"TASK_ACKS_LATE": True}, r"'TASK_ACKS_LATE' \(did you mean 'task_acks_late'\?\)\.$"),
        ({"frobnicate": 1, "xyzzy": 2}, r"does not know: 'frobnicate', 'xyzzy'\.$"),
        (["task_acks_late"], "is not an object"),
        ({"broker_url": "redis://b"}, "'broker_url' .* Celery prefers CELERY_BROKER_URL"),
        ({"beat_schedule": ["a"]}, "'beat_schedule' in .* is not an object"),
    ],
)
def test_mistakes_in_settings(
    settings: Any, sentence: str, write_settings: Callable[[Any], Path]
) -> None:
    with pytest.raises(SetupError, match=sentence):
        read_overlay(write_settings(settings), {"CELERY_BROKER_URL": "redis://a"})


@pytest.mark.parametrize(
    "entry",
    [
        5,
        {"schedule": 5},
        {"task": "a"},
        {"task": "a", "schedule": True},
        {"task": "a", "schedule": "5"},
        {"task": "a", "schedule": {"crontab": {"minutes": 5}}},
        {"task": "a", "schedule": {"crontab": {"minute": "*/x"}}},
        {"task": "a", "schedule": {"crontab": {"minute": 99}}},
        {"task": "a", "schedule": {"crontab": {}, "timezone": "UTC"}},
    ],
)
def test_mistakes_in_the_schedule(entry: Any, write_settings: Callable[[Any], Path]) -> None:
    with pytest.raises(SetupError, match=r"The entry 'nightly' of beat_schedule in .* needs"):
        read_overlay(write_settings({"beat_schedule": {"nightly": entry}}), {})


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"none\.json cannot be read: No such file or directory"):
        read_overlay(tmp_path / "none.json", {})


def test_settings_that_are_no_json(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(SetupError, match="is not JSON: "):
        read_overlay(path, {})
