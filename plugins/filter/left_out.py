# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: left_out
short_description: Makes the end of a play's hosts that leaves some out
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - It can be added to any pattern of hosts.
options:
  _input:
    description: The names of the hosts, as a list or as text with commas.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: All but some
  hosts: "celery_worker{{ celery_worker_remove | default([]) | celeryops.cluster.left_out }}"
  tasks: []
"""

RETURN = r"""
_value:
  description: The end of the pattern.
  type: string
  sample: ":!worker1:!worker2"
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import left_out


class FilterModule:
    """The filter C(celeryops.cluster.left_out)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"left_out": left_out}
