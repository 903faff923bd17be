"""What docs/logs.md shows fits what the collection writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.celeryops.cluster.plugins.plugin_utils._services import worker_services

PAGE = Path(__file__).parents[3] / "docs/logs.md"
POOL = {"name": "cpu", "queues": ["default"], "concurrency": 2}


def filebeat() -> dict[str, Any]:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if block.startswith("filebeat.inputs:")]
    read: dict[str, Any] = yaml.safe_load(block)
    return read


def test_filebeat_reads_the_files_of_the_instances() -> None:
    [service] = worker_services([POOL], "shop", "w1", "shop:app", 60, 300, log_files=True)
    [file] = re.findall(r"--logfile=(\S+)", service["command"])
    [reader] = filebeat()["filebeat.inputs"]
    assert reader["paths"] == [str(Path(file).with_name("*.log"))]
