# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What the modules share: options, finding the cluster, its environment, and how they end.

This is the only file here that needs Ansible.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, respawn_module

from ansible_collections.celeryops.cluster.plugins.module_utils._client import Client
from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    read_cluster,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import Selection
from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_secrets

COMMON_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "app": {"type": "str"},
    "broker_url": {"type": "str", "no_log": True},
    "broker_options": {"type": "dict"},
    "nodes": {"type": "list", "elements": "str"},
    "pool": {"type": "str"},
    "timeout": {"type": "float", "default": 10.0},
}


@dataclass(frozen=True)
class Session:
    """One call of a module.

    Attributes:
        params: The module's options.
        check_mode: Whether nothing may be changed.
        cluster: What the control file or the broker's URL says.
        notes: What the clients note; it becomes warnings.
    """

    params: dict[str, Any] = field(repr=False)
    check_mode: bool
    cluster: Cluster
    started: float
    notes: list[str] = field(default_factory=list)

    def selection(self, anywhere: bool) -> Selection:
        """The nodes asked for; `anywhere` lets a host without nodes mean the whole cluster."""
        return Selection(tuple(self.params["nodes"] or ()), self.params["pool"], anywhere)

    def client(self) -> Client:
        """A client whose deadline is the end of the call's time-out."""
        client = Client(self.cluster.broker, self.remaining())
        client.notes = self.notes
        return client

    def remaining(self) -> float:
        """Seconds until the end of the call's time-out."""
        return float(self.params["timeout"]) - self.elapsed()

    def elapsed(self) -> float:
        """Seconds since the start of the module."""
        return time.monotonic() - self.started


def run(
    options: Mapping[str, Mapping[str, Any]],
    work: Callable[[Session], dict[str, Any]],
    mutually_exclusive: Sequence[Sequence[str]] = (),
    required_together: Sequence[Sequence[str]] = (),
    required_one_of: Sequence[Sequence[str]] = (),
) -> None:
    """Run a module from its options to its end.

    Args:
        options: The argument spec of the module's own options.
        work: Does the module's work and returns its result. A `CeleryOpsError` makes the module
            fail with that sentence, and with the error's result. A `diff` is returned only if
            it was asked for.
        mutually_exclusive: As AnsibleModule wants it; so are the next two.
    """
    started = time.monotonic()
    module = AnsibleModule(
        argument_spec={**COMMON_OPTIONS, **options},
        mutually_exclusive=[("app", "broker_url"), *mutually_exclusive],
        required_together=list(required_together),
        required_one_of=[("app", "broker_url"), *required_one_of],
        required_by={"broker_options": ("broker_url",)},
        supports_check_mode=True,
    )
    failure = None
    notes: list[str] = []
    try:
        cluster = _cluster(module.params)
        if cluster.venv:
            _enter(cluster.venv, cluster.app)
        session = Session(module.params, module.check_mode, cluster, started, notes)
        result = work(session)
    except CeleryOpsError as error:
        failure, result = str(error), error.result
    # Outside of the handler, since Ansible shows the exception that is being handled.
    result = {
        "changed": False,
        **result,
        "elapsed": round(time.monotonic() - started, 3),
        "invocation": {"module_args": hide_secrets(module.params)},
    }
    if not module._diff:
        result.pop("diff", None)
    for note in notes:
        module.warn(note)
    if failure is not None:
        module.fail_json(msg=failure, **result)
    module.exit_json(**result)


def _cluster(params: Mapping[str, Any]) -> Cluster:
    if params["timeout"] <= 0:
        raise CeleryOpsError(f"`timeout` must be above 0 seconds, not {params['timeout']}.")
    if params["app"]:
        return read_cluster(params["app"])
    options = params["broker_options"] or {}
    return Cluster(Broker(params["broker_url"], "the option `broker_url`", options))


def _enter(venv: Path, app: str | None) -> None:
    """Make the libraries of the app's environment importable.

    If the environment was made with the interpreter that runs, this one can import them itself,
    which saves starting a second one and this module in it (0.4 s).
    """
    python = venv / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}{sys.abiflags}"
    # The real path: a release must not change under a module that runs.
    packages = venv.resolve() / "lib" / version / "site-packages"
    if packages.is_dir() and python.resolve() == Path(sys.executable).resolve():
        # Behind the standard library, in front of the interpreter's own packages.
        own = [i for i, path in enumerate(sys.path) if path.endswith("-packages")]
        sys.path.insert(own[0] if own else len(sys.path), str(packages))
        return
    if has_respawned() or not python.exists():
        raise CeleryOpsError(
            f"{venv}, the environment of app '{app}', is missing or broken: run the playbook "
            "celeryops.cluster.site."
        )
    respawn_module(str(python))
