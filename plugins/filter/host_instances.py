# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: host_instances
short_description: Tells which instances of pools a host has
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - An instance should run if it has an environment file. One that only has its link to a release
    was told to stop.
options:
  _input:
    description: The paths of files and links of the application on the host.
    type: list
    elements: string
    required: true
  others:
    description: Names of services that are no pool's, such as a program V(web2).
    type: list
    elements: string
    default: []
"""

EXAMPLES = r"""
- name: Show which instances should run
  ansible.builtin.debug:
    msg: "{{ (__found.files | map(attribute='path') | celeryops.cluster.host_instances).started }}"
"""

RETURN = r"""
_value:
  description:
    - The names of the instances that are C(started), of those that are C(kept) by a change that was
      interrupted, and of those that have C(left).
  type: dictionary
  sample: {started: [cpu2], kept: [], left: [cpu1]}
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._numbers import host_instances


class FilterModule:
    """The filter C(celeryops.cluster.host_instances)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_instances": host_instances}
