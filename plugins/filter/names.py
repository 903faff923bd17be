# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: names
short_description: Takes names from a list or from text with commas
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Variables of the command line are text, those of an inventory lists.
options:
  _input:
    description: The names, as a list or as text.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show the hosts
  ansible.builtin.debug:
    msg: "{{ 'worker1,worker2' | celeryops.cluster.names }}"
"""

RETURN = r"""
_value:
  description: The names.
  type: list
  elements: string
  sample: [worker1, worker2]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import names


class FilterModule:
    """The filter C(celeryops.cluster.names)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"names": names}
