# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import Selection
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import (
    fleet,
    is_own,
    matching,
    queues_by,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies

KNOWN = ["cpu", "mail", "mail.bulk", "cpu1@h.dq2", "cpu1@h.celery.pidbox", "celery_delayed_3"]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], ["cpu", "mail", "mail.bulk"]),
        (["*"], ["cpu", "mail", "mail.bulk"]),
        (["mail*", "mail"], ["mail", "mail.bulk"]),
        (["*.dq2"], ["cpu1@h.dq2"]),
        (["cpu1@h.dq2"], ["cpu1@h.dq2"]),
        (["celery_delayed_*"], ["celery_delayed_3"]),
        (["nosuch"], ["nosuch"]),
    ],
)
def test_names_and_globs(patterns: list[str], names: list[str]) -> None:
    assert matching(patterns, KNOWN) == names


def test_a_glob_that_matches_nothing() -> None:
    with pytest.raises(CeleryOpsError, match=r"no queue matches 'x\*'; known: cpu, mail, mail.bul"):
        matching(["cpu", "x*"], KNOWN)


def test_own_queues() -> None:
    assert [name for name in KNOWN if is_own(name)] == KNOWN[3:]
    assert is_own("celeryev.1a2b")


def test_an_unknown_fleet_has_a_moment_to_answer() -> None:
    asked: list[tuple[str, float]] = []

    class Client:
        def call(self, command: str, *, patience: float) -> Replies:
            asked.append((command, patience))
            return Replies({"a1@h": {"ok": "pong"}})

    client: Any = Client()
    cluster = Cluster(Broker("redis://b", "x"))
    assert fleet(client, cluster, Selection(("all",))) == ["a1@h"]
    assert asked == [("ping", 2.5)]


def test_a_broker_whose_queues_are_not_managed() -> None:
    connection = SimpleNamespace(transport=SimpleNamespace(driver_type="memory"))
    client: Any = SimpleNamespace(run=lambda step: step(connection), remaining=lambda: 1.0)
    with pytest.raises(CeleryOpsError, match="in the file is of kind 'memory'"):
        queues_by(client, Broker("memory://", "the file"))(lambda queues: queues.known())
