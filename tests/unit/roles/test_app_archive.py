# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a project directory the role `app` packs for the hosts, by the module that packs it."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

VARIABLES = Path(__file__).parents[3] / "roles/app/vars/main.yml"


def test_what_builds_and_repositories_leave_behind_stays(tmp_path: Path) -> None:
    project, archive = tmp_path / "shop", tmp_path / "shop.tar.gz"
    kept = ["pyproject.toml", "src/shop/celery.py", ".gitignore"]
    left = [
        f"{place}{name}/file"
        for name in (".git", ".venv", "__pycache__", "build", "dist", "shop.egg-info")
        for place in ("", "src/")
    ]
    for name in [*kept, *left]:
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    arguments = {
        "path": f"{project}/",
        "dest": str(archive),
        "exclusion_patterns": "{{ _celery_app_left_out }}",
    }
    ansible = str(Path(sys.executable).with_name("ansible"))
    module = ["-m", "community.general.archive", "-a", json.dumps(arguments)]
    subprocess.run(
        [ansible, "localhost", "-e", f"@{VARIABLES}", *module], check=True, capture_output=True
    )
    with tarfile.open(archive) as packed:
        assert {each.name for each in packed if each.isfile()} == set(kept)
