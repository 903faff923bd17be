# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what a service may not do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._guesses import did_you_mean

# What Celery's pools, a subprocess and pip-installed code were seen to work under.
SANDBOX: dict[str, Any] = {
    "NoNewPrivileges": True,
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "PrivateTmp": True,
    "PrivateDevices": True,
    "PrivateUsers": True,
    "PrivateIPC": True,
    "ProtectSystem": "strict",
    "ProtectHome": True,
    "ProtectProc": "invisible",
    "ProtectClock": True,
    "ProtectHostname": True,
    "ProtectKernelLogs": True,
    "ProtectKernelModules": True,
    "ProtectKernelTunables": True,
    "ProtectControlGroups": True,
    "RestrictNamespaces": True,
    "RestrictRealtime": True,
    "RestrictSUIDSGID": True,
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "LockPersonality": True,
    "MemoryDenyWriteExecute": True,
    "RemoveIPC": True,
    "KeyringMode": "private",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    "SystemCallErrorNumber": "EPERM",
    "UMask": "0077",
}
# Settings that an application may need beside them.
FURTHER = (
    "BindPaths", "BindReadOnlyPaths", "DeviceAllow", "DevicePolicy", "IPAddressAllow",
    "IPAddressDeny", "InaccessiblePaths", "ProcSubset", "ReadOnlyPaths", "ReadWritePaths",
    "SupplementaryGroups", "TemporaryFileSystem",
)  # fmt: skip
# Without it a service could never tell systemd that it is ready.
_NEEDED = "AF_UNIX"


def sandbox_lines(changes: Mapping[str, Any]) -> list[str]:
    """The lines of a unit, with `changes` over the sandbox; null leaves a setting out."""
    settings = {**SANDBOX, **changes}
    return [
        f"{name}={_text(value)}"
        for name, values in settings.items()
        if values is not None
        for value in (values if isinstance(values, (list, tuple)) else [values])
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def sandbox_problems(changes: Mapping[str, Any]) -> list[str]:
    """What is wrong with `celery_app_sandbox`, a sentence each; empty when nothing is."""
    problems = []
    for name, values in changes.items():
        if name not in SANDBOX and name not in FURTHER:
            guess = did_you_mean(name, (*SANDBOX, *FURTHER))
            problems.append(f"celery_app_sandbox has the unknown setting '{name}'{guess}.")
        if any("\n" in str(value) for value in (values if isinstance(values, list) else [values])):
            problems.append(f"celery_app_sandbox: {name} holds a line break: write it on one line.")
    families = changes.get("RestrictAddressFamilies")
    if families is not None and _NEEDED not in str(families).split():
        problems.append(
            f"celery_app_sandbox: RestrictAddressFamilies lacks {_NEEDED}, by which services tell "
            "systemd that they are ready: add it."
        )
    return problems
