"""Finds the user's app and imports it with the settings laid over its own."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from celery import Celery

from celeryops_runtime import SetupError
from celeryops_runtime._overlay import checked_overlay, import_under, read_overlay

_MISSING = object()


class _ModuleMissingError(SetupError):
    pass


def load(environ: Mapping[str, str], settings: Mapping[str, Any] | None = None) -> Celery:
    """The app that CELERYOPS_APP names, with settings laid over its own.

    These are `settings` where given, else those of the file CELERYOPS_SETTINGS, if any.
    Raises SetupError for all that a user can get wrong.
    """
    path = environ.get("CELERYOPS_APP")
    if not path:
        raise SetupError(
            "CELERYOPS_APP is not set: give it the app as module:attribute, like shop.celery:app."
        )
    file = environ.get("CELERYOPS_SETTINGS")
    if settings is not None:
        overlay = checked_overlay(settings, "celery_settings", environ)
    else:
        overlay = read_overlay(Path(file), environ) if file else {}
    return import_under(overlay, path, lambda: find_app(path))


def find_app(path: str) -> Celery:
    """The app at `path`: "module:attribute", "module.attribute" or "module".

    A module alone is searched as Celery's own `-A` does: for `app`, for `celery`, for the same in
    its submodule `celery`, for any app in it.
    """
    module, attribute = _module_and_attribute(path)
    if not attribute:
        return _app_in(module)
    found = getattr(module, attribute, _MISSING)
    if found is _MISSING:
        raise SetupError(
            f"The app {path!r} was not found: the module {module.__name__} has no {attribute!r}."
        )
    if isinstance(found, ModuleType):
        return _app_in(found)
    if not isinstance(found, Celery):
        raise SetupError(f"{path!r} is not a Celery app but of type {type(found).__name__!r}.")
    return found


def describe(error: BaseException) -> str:
    """`error` in a line: its type, its message and where it was raised."""
    if isinstance(error, SyntaxError):
        message, place = error.msg, f"{error.filename}:{error.lineno}"
    else:
        message = " ".join(str(error).split())
        place = _place(error)
    return f"{type(error).__name__}: {message} ({place})"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    # The import system's own frames lie innermost when a module isn't there.
    frame = [frame for frame in frames if not frame.filename.startswith("<frozen ")][-1]
    return f"{frame.filename}:{frame.lineno}"


def _module_and_attribute(path: str) -> tuple[ModuleType, str]:
    name, _colon, attribute = path.partition(":")
    try:
        return _import(name), attribute
    except _ModuleMissingError:
        parent, _dot, last = name.rpartition(".")
        if attribute or not parent:
            raise
        return _import(parent), last


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            raise _ModuleMissingError(
                f"The module {name!r} of the app was not found: no module named {missing!r}."
            ) from error
        raise SetupError(f"The import of {name!r} failed: {describe(error)}.") from error


def _app_in(module: ModuleType) -> Celery:
    for name in ("app", "celery"):
        if isinstance(found := getattr(module, name, None), Celery):
            return found
    if hasattr(module, "__path__"):
        with suppress(_ModuleMissingError):
            return _app_in(_import(f"{module.__name__}.celery"))
    for found in vars(module).values():
        if isinstance(found, Celery):
            return found
    raise SetupError(f"The module {module.__name__!r} holds no Celery app.")
