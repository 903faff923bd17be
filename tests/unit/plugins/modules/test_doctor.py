# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""celery_doctor from its options to its result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.celeryops.cluster.plugins.module_utils import _arguments
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Broker, Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._doctor_examination import Order
from ansible_collections.celeryops.cluster.plugins.modules import celery_doctor

CLUSTER = Cluster(Broker("redis://b", "x"), app="shop", host="w1")
Result = Callable[..., dict[str, Any]]


@pytest.fixture
def result(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Result:
    """Runs the module in check mode and returns what it prints: its order and its seconds."""

    def examine(cluster: Cluster, order: Order, remaining: Callable[[], float]) -> dict[str, Any]:
        assert cluster is CLUSTER
        return {"order": vars(order), "seconds": remaining()}

    monkeypatch.setattr(_arguments, "read_cluster", lambda _app: CLUSTER)
    monkeypatch.setattr(celery_doctor, "examine", examine)

    def call(**arguments: Any) -> dict[str, Any]:
        options = {"app": "shop", "_ansible_check_mode": True, **arguments}
        with patch_module_args(options), pytest.raises(SystemExit):
            celery_doctor.main()
        return dict(json.loads(capsys.readouterr().out))

    return call


def test_a_host(result: Result) -> None:
    found = result()
    assert not found["changed"]
    assert found["order"] == {"nodes": [], "pool": None, "reference": None, "details": False}
    assert 19 < found["seconds"] <= 20
    options = {"nodes": ["cpu*"], "pool": "cpu", "reference_time": 1.5, "details": True}
    assert result(**options)["order"] == {
        "nodes": ["cpu*"],
        "pool": "cpu",
        "reference": 1.5,
        "details": True,
    }


def test_a_time_out_that_is_too_short(result: Result) -> None:
    found = result(timeout=4)
    assert found["failed"]
    assert found["msg"].startswith("`timeout` must be at least 5 seconds, not 4.0: ")
