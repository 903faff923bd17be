# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: scale_problems
short_description: Says what is wrong with a wish to scale
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A sentence for each pool that can't be resized so, and each host that can't leave.
options:
  _input:
    description: The nodes of the inventory, as P(celeryops.cluster.cluster_nodes#filter) has them.
    type: dictionary
    required: true
  sizes:
    description: By pool, the number of processes, or C(min) and C(max) of one that autoscales.
    type: dictionary
    required: true
  hosts:
    description: The hosts of the run.
    type: list
    elements: string
    required: true
  leaving:
    description: The hosts that leave the cluster.
    type: list
    elements: string
    required: true
"""

EXAMPLES = r"""
- name: The pool can be resized
  ansible.builtin.assert:
    that: >-
      nodes | celeryops.cluster.scale_problems({'cpu': 8}, hosts, []) | length == 0
"""

RETURN = r"""
_value:
  description: The sentences.
  type: list
  elements: string
  sample: ["celery_worker_sizes: no pool is named 'cpi' (did you mean 'cpu'?): …"]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import scale_problems


class FilterModule:
    """The filter C(celeryops.cluster.scale_problems)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"scale_problems": scale_problems}
