# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: known_nodes
short_description: Changes which nodes of some hosts a control file lists
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The nodes of other hosts, and all else in the file, stay as they are.
options:
  _input:
    description: What the control file holds.
    type: dictionary
    required: true
  hosts:
    description: The hosts whose nodes change.
    type: list
    elements: string
    required: true
  nodes:
    description: Their nodes, by name; none if they have left.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show the control file without a host
  ansible.builtin.debug:
    msg: "{{ control | celeryops.cluster.known_nodes(['worker4'], {}) }}"
"""

RETURN = r"""
_value:
  description: What the control file holds then.
  type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import known_nodes


class FilterModule:
    """The filter C(celeryops.cluster.known_nodes)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"known_nodes": known_nodes}
