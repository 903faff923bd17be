# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what the instances of services were started with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._systemd import environment_file

_HEADER = (
    "# Managed by Ansible: written while the instance is down, as the last step of its change.\n"
)


def started_with(
    services: Sequence[Mapping[str, Any]], release: str, config: str, unit: Sequence[Any]
) -> list[dict[str, Any]]:
    """The services, each with `file`, the content of its instance's environment file.

    An instance restarts when this content changes, so that it depends on all that the instance is
    started with.

    Args:
        services: As `_common`'s verb takes them.
        release: The name of the release that they run.
        config: The digest of the configuration files that they read.
        unit: What the units are made of beside the services: templates, user, application.
    """
    return [{**service, "file": _file(service, release, config, unit)} for service in services]


def differing(
    services: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The services whose instance was started with something else, or never.

    Args:
        services: With their `file`.
        found: The environment files on the host, as `path` and `checksum` (SHA-1).
    """
    checksums = {Path(file["path"]).stem: file["checksum"] for file in found}
    return [
        service
        for service in services
        if checksums.get(service["instance"]) != hashlib.sha1(service["file"].encode()).hexdigest()
    ]


def _file(service: Mapping[str, Any], release: str, config: str, unit: Sequence[Any]) -> str:
    ingredients = json.dumps([service, config, unit], sort_keys=True)
    variables = {
        "CELERYOPS_RELEASE": release,
        "CELERYOPS_CONFIG": hashlib.sha256(ingredients.encode()).hexdigest()[:12],
        "PYTHONFAULTHANDLER": "1",
        **service["environment"],
    }
    return _HEADER + environment_file(variables)
