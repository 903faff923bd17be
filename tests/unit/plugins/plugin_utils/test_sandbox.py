from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._sandbox import (
    sandbox_lines,
    sandbox_problems,
)


def test_the_sandbox_by_itself() -> None:
    lines = sandbox_lines({})
    assert "NoNewPrivileges=true" in lines
    assert "CapabilityBoundingSet=" in lines
    at = lines.index("SystemCallFilter=@system-service")
    assert lines[at + 1] == "SystemCallFilter=~@privileged @resources"
    assert sandbox_problems({}) == []


def test_settings_are_changed_left_out_and_added() -> None:
    changes = {
        "MemoryDenyWriteExecute": False,
        "SystemCallFilter": None,
        "ReadWritePaths": ["/srv/a", "/srv/b"],
    }
    lines = sandbox_lines(changes)
    assert "MemoryDenyWriteExecute=false" in lines
    assert not [line for line in lines if line.startswith("SystemCallFilter")]
    assert lines[-2:] == ["ReadWritePaths=/srv/a", "ReadWritePaths=/srv/b"]
    assert sandbox_problems(changes) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"PrivateTemp": False}, "unknown setting 'PrivateTemp' (did you mean 'PrivateTmp'?)."),
        ({"ExecStart": "/bin/sh"}, "unknown setting 'ExecStart'"),
        ({"ReadWritePaths": "/a\nExecStart=/bin/sh"}, "ReadWritePaths holds a line break"),
        ({"ReadWritePaths": ["/a\nb"]}, "ReadWritePaths holds a line break"),
        ({"RestrictAddressFamilies": "AF_INET"}, "lacks AF_UNIX"),
    ],
)
def test_a_sandbox_that_cannot_work(changes: dict[str, Any], problem: str) -> None:
    assert problem in " ".join(sandbox_problems(changes))
