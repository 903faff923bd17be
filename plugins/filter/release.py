# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: release
short_description: Says what a release is made of and what it is called
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The name ends in a digest of all that is installed, so that other requirements or sources are
    another release.
options:
  _input:
    description: The application's source, as in C(celery_app_source).
    type: string
    required: true
  version:
    description: Its version, as in C(celery_app_version).
    type: string
    default: ""
  extras:
    description: Extras of the requirement.
    type: list
    elements: string
    default: []
  packages:
    description: Further pip requirements.
    type: list
    elements: string
    default: []
  salt:
    description: Paths on the controller and words that change the release too.
    type: list
    elements: string
    default: []
  requirements:
    description: Path of a file of requirements on the controller.
    type: string
    default: ""
"""

EXAMPLES = r"""
- name: Show the release
  ansible.builtin.debug:
    msg: "{{ ('shop' | celeryops.cluster.release(version='1.4.0')).release }}"
"""

RETURN = r"""
_value:
  description:
    - C(release), which is its name, C(kind), C(path), C(requirement) and C(builders).
    - C(problem) is a sentence where the source can't be used, and empty where it can.
  type: dictionary
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._release import (
    describe_release,
    digest_of,
)

_KEYS = ("release", "kind", "path", "requirement", "builders")


def release(
    source: str,
    version: str = "",
    extras: Sequence[str] = (),
    packages: Sequence[str] = (),
    salt: Sequence[str] = (),
    requirements: str = "",
) -> dict[str, Any]:
    try:
        mixed = [digest_of(word) if word and Path(word).is_dir() else word for word in salt]
        found = describe_release(source, str(version), extras, packages, mixed, requirements)
    except (OSError, ValueError) as error:
        return dict.fromkeys(_KEYS, "") | {"problem": str(error)}
    return found | {"problem": ""}


class FilterModule:
    """The filter C(celeryops.cluster.release)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"release": release}
