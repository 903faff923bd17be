# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: old_releases
short_description: Picks the releases that a host no longer needs
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Leaves out what is used, and the latest complete ones of the others.
  - One is as late as its installation, or as the last time that it proved itself on workers.
options:
  _input:
    description: The releases with C(path), as P(ansible.builtin.find#module) has them.
    type: list
    elements: dictionary
    required: true
  marks:
    description: >-
      The files C(release.json) in those whose installation was completed, and C(ran) in those
      that have run, with C(path) and C(mtime).
    type: list
    elements: dictionary
    required: true
  used:
    description: The paths of the releases that something runs.
    type: list
    elements: string
    required: true
  keep:
    description: How many of the others stay.
    type: integer
    required: true
"""

EXAMPLES = r"""
- name: Old releases are gone
  ansible.builtin.file:
    path: "{{ item }}"
    state: absent
  loop: "{{ found.files | celeryops.cluster.old_releases(marks, used, 3) }}"
"""

RETURN = r"""
_value:
  description: The paths of the releases to remove.
  type: list
  elements: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._release import old_releases


class FilterModule:
    """The filter C(celeryops.cluster.old_releases)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"old_releases": old_releases}
