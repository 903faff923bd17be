"""The settings that are laid over the app's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any

import celery
from celery import Celery
from celery.app.defaults import SETTING_KEYS
from celery.schedules import ParseException, crontab

from celeryops_runtime import SetupError

# Celery reads these too, though its list of settings leaves them out.
UNLISTED_SETTINGS = {
    "dynamodb_endpoint_url",
    "gcs_threadpool_maxsize",
    "redis_backend_health_check_interval",
    "result_backend_thread_safe",
}

# Celery prefers these variables of the environment to any setting.
VARIABLES = {
    "broker_url": "CELERY_BROKER_URL",
    "broker_read_url": "CELERY_BROKER_READ_URL",
    "broker_write_url": "CELERY_BROKER_WRITE_URL",
    "result_backend": "CELERY_RESULT_BACKEND",
}

# Of these only a part is given, so the app's own entries stay beside it. In the first two, where
# an entry may hold options itself (sentinel_kwargs), each of them counts; in the others an entry is
# one whole, and null drops the app's.
MERGED_DEEPLY = {"broker_transport_options", "result_backend_transport_options"}
MERGED = MERGED_DEEPLY | {"beat_schedule", "task_annotations", "task_routes"}

CRONTAB_FIELDS = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")


def read_overlay(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings in the JSON file `path`, ready to be laid over an app's.

    Raises SetupError where it can't be read, and where `checked_overlay` does.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SetupError(f"{path} is not JSON: {error}.") from error
    return checked_overlay(settings, str(path), environ)


def checked_overlay(given: Any, source: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that `source` gives, an object of Celery's lower-case names.

    An entry of `beat_schedule` has as `schedule` a number of seconds or {"crontab": {"minute": …}};
    null drops the app's own of that name.
    Raises SetupError where the installed Celery would ignore a setting or could not read it.
    """
    if not isinstance(given, dict):
        raise SetupError(f"{source} is not an object of names and values.")
    settings = dict(given)
    if unknown := [_suggestion(name) for name in settings if name not in _known_settings()]:
        raise SetupError(
            f"{source} holds names that Celery {celery.__version__} does not know: "
            f"{', '.join(unknown)}."
        )
    for name, variable in VARIABLES.items():
        if name in settings and environ.get(variable):
            raise SetupError(
                f"The setting {name!r} in {source} would have no effect: Celery prefers "
                f"{variable} of the environment, so drop one of the two."
            )
    if "beat_schedule" in settings:
        settings["beat_schedule"] = _beat_schedule(settings["beat_schedule"], source)
    return settings


def import_under(overlay: Mapping[str, Any], path: str, find: Callable[[], Celery]) -> Celery:
    """The app that `find` imports from `path`, with `overlay` over its settings.

    A task takes its options from the settings when it is bound to its app, often while the app's
    module is imported; later they change nothing. So each app gets the overlay as soon as it
    configures itself. Which of them is meant is only known after the import: until then the overlay
    is a map in front of each app's own settings; then it becomes part of the settings of the one
    (Celery pickles those for processes it spawns) and is taken off the others. A setting in MERGED
    is laid over the app's entry by entry.
    """
    created: list[Celery] = []
    covered: list[Any] = []
    chosen: Celery | None = None

    def lay(sender: Celery, source: Any, **_: Any) -> None:
        if chosen is None or sender is chosen:
            source.maps.insert(0, _Layer(source, overlay))
        if chosen is None:
            covered.append(source)
        elif sender is chosen:
            _fix(source)

    def watch(app: Celery) -> None:
        created.append(app)
        app.on_after_configure.connect(lay, weak=False)
        if app.configured:
            lay(app, app.conf)

    with _each_new_app(watch):
        chosen = find()
    if overlay and not any(app is chosen for app in created):
        raise SetupError(
            f"The app {path!r} existed before the settings could be laid over its own: let nothing "
            "import it earlier, and name the app itself, not a stand-in like current_app."
        )
    for conf in covered:
        if conf is chosen.conf:
            _fix(conf)
        else:
            conf.maps[:] = [conf.changes, *conf.defaults]
    return chosen


@contextmanager
def _each_new_app(watch: Callable[[Celery], None]) -> Iterator[None]:
    """Call `watch` with each app created meanwhile, also those of subclasses."""
    create = Celery.__init__

    @wraps(create)
    def create_watched(self: Celery, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **kwargs)
        watch(self)

    Celery.__init__ = create_watched
    try:
        yield
    finally:
        Celery.__init__ = create


class _Layer(dict[str, Any]):
    """A copy of an overlay as the first map of `conf`, under the names that it looks up first.

    In the namespace CELERY, as in Django projects, task_acks_late is first CELERY_TASK_ACKS_LATE.
    What is merged is merged when it is read, since the app may still set its own. Until it does,
    every reader gets the same object: apps add entries to it.
    """

    def __init__(self, conf: Any, overlay: Mapping[str, Any]) -> None:
        super().__init__(
            {conf._to_keys(name)[0]: deepcopy(value) for name, value in overlay.items()}
        )
        self._conf = conf
        self._merged = {conf._to_keys(name)[0]: name for name in MERGED & overlay.keys()}
        self._read: dict[str, tuple[Any, Any]] = {}

    def __getitem__(self, key: str) -> Any:
        wanted = super().__getitem__(key)
        if key not in self._merged:
            return wanted
        own = self._beneath(key) or {}
        if not isinstance(own, Mapping) or not isinstance(wanted, Mapping):
            return wanted
        if key not in self._read or self._read[key][0] != own:
            merge = _merged if self._merged[key] in MERGED_DEEPLY else _beside
            merged = merge(own, wanted)
            self._read[key] = dict(own), merged
        return self._read[key][1]

    def _beneath(self, key: str) -> Any:
        """The setting as `conf` looks it up without this layer."""
        self._conf.maps.pop(0)
        try:
            return self._conf.get(self._merged[key])
        finally:
            self._conf.maps.insert(0, self)


def _fix(conf: Any) -> None:
    """Make the layer over `conf` part of its own settings."""
    settings = {key: conf.maps[0][key] for key in conf.maps[0]}
    conf.maps[:] = [conf.changes, *conf.defaults]
    conf.update(settings)


def _beside(own: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of both; those of `wanted` come first, since the first glob of routes counts."""
    entries = {**wanted, **{name: own[name] for name in own if name not in wanted}}
    return {name: entry for name, entry in entries.items() if entry is not None}


def _merged(own: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The options of both; those of `wanted` win."""
    merged = {**own, **wanted}
    for name in own.keys() & wanted.keys():
        if isinstance(own[name], Mapping) and isinstance(wanted[name], Mapping):
            merged[name] = _merged(own[name], wanted[name])
    return merged


def _known_settings() -> set[str]:
    return UNLISTED_SETTINGS | set(SETTING_KEYS)


def _suggestion(name: str) -> str:
    close = get_close_matches(name.lower(), _known_settings(), n=1)
    return f"{name!r} (did you mean {close[0]!r}?)" if close else repr(name)


def _beat_schedule(entries: Any, source: str) -> dict[str, Any]:
    if not isinstance(entries, dict):
        raise SetupError(f"The setting 'beat_schedule' in {source} is not an object of entries.")
    return {name: _beat_entry(name, entry, source) for name, entry in entries.items()}


def _beat_entry(name: str, entry: Any, source: str) -> Any:
    """`entry` of a beat_schedule with its crontab, if it has one, as Celery's."""
    match entry:
        case None:
            return None
        case {"task": str(), "schedule": bool()}:
            pass
        case {"task": str(), "schedule": int() | float()}:
            return entry
        case {"task": str(), "schedule": {"crontab": dict(fields), **rest}} if not rest:
            if fields.keys() <= set(CRONTAB_FIELDS):
                with suppress(ParseException, TypeError, ValueError):
                    return {**entry, "schedule": crontab(**fields)}
    raise SetupError(
        f"The entry {name!r} of beat_schedule in {source} needs a task's name and a schedule, "
        f'either seconds or {{"crontab": {{"minute": "*/5"}}}} with {", ".join(CRONTAB_FIELDS)}.'
    )
