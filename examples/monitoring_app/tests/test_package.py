from __future__ import annotations

import re
from pathlib import Path

from monitoring_app import __version__


def test_the_package_states_one_version() -> None:
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'^version = "(.+)"$', project, re.MULTILINE) == [__version__]
