"""An app is found as Celery itself finds it; where it isn't, one sentence says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from celeryops_runtime import SetupError
from celeryops_runtime._loading import find_app, load

APP = "from celery import Celery\n{name} = Celery('found')\n"


@pytest.mark.parametrize(
    ("module", "name", "path"),
    [
        ("shop", "app", "shop:app"),
        ("shop", "anything", "shop:anything"),
        ("shop", "anything", "shop.anything"),
        ("shop", "app", "shop"),
        ("shop", "celery", "shop"),
        ("shop", "anything", "shop"),
        ("shop.celery", "app", "shop.celery:app"),
        ("shop.celery", "app", "shop.celery"),
        ("shop.celery", "app", "shop"),
        ("shop.celery", "app", "shop:celery"),
    ],
)
def test_paths(module: str, name: str, path: str, write_module: Callable[[str, str], Path]) -> None:
    if "." in module:
        write_module("shop.__init__", "from . import celery" if path == "shop:celery" else "")
    write_module(module, APP.format(name=name))
    assert find_app(path).main == "found"


@pytest.mark.parametrize(
    ("path", "source", "sentence"),
    [
        ("", "", "CELERYOPS_APP is not set: "),
        ("shpo:app", "", r"^The module 'shpo' of the app was not found: no module named 'shpo'\.$"),
        ("shop.celery:app", "", r"^The module 'shop.celery' of the app was not found: "),
        ("shop:app", "", r"^The app 'shop:app' was not found: the module shop has no 'app'\.$"),
        ("shop.app", "", r"^The app 'shop.app' was not found: the module shop has no 'app'\.$"),
        ("shop", "", r"^The module 'shop' holds no Celery app\.$"),
        ("shop:app", "app = 1", r"^'shop:app' is not a Celery app but of type 'int'\.$"),
        (
            "shop:app",
            "import os\nURL = os.environ['SHOP_DATABASE']",
            r"^The import of 'shop' failed: KeyError: 'SHOP_DATABASE' \(.*/shop.py:2\)\.$",
        ),
        (
            "shop:app",
            "import no_such_package",
            r"failed: ModuleNotFoundError: No module named 'no_such_package' \(.*/shop.py:1\)\.$",
        ),
        ("shop:app", "x = = 1", r"failed: SyntaxError: invalid syntax \(.*/shop.py:1\)\.$"),
        ("shop:app", "raise SystemExit(3)", r"failed: SystemExit: 3 \(.*/shop.py:1\)\.$"),
        ("shop:app", "raise ValueError('a\\n  b')", r"failed: ValueError: a b \(.*/shop.py:1\)\.$"),
    ],
)
def test_mistakes(
    path: str, source: str, sentence: str, write_module: Callable[[str, str], Path]
) -> None:
    write_module("shop", source)
    with pytest.raises(SetupError, match=sentence):
        load({"CELERYOPS_APP": path})
