# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: unserved_queues
short_description: Says which queues would lose their last consumer
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Tells what nobody consumes from any more when hosts, or a pool of theirs, stop. A node that is
    drained already, or dead, is no consumer that is left.
options:
  _input:
    description: The nodes of the inventory, as P(celeryops.cluster.cluster_nodes#filter) has them.
    type: dictionary
    required: true
  answers:
    description:
      - The C(nodes) that M(celeryops.cluster.celery_info) returns, with their C(active_queues).
    type: dictionary
    required: true
  hosts:
    description: The hosts that stop.
    type: list
    elements: string
    required: true
  pool:
    description: The only pool of theirs that does; empty for all.
    type: string
    default: ""
"""

EXAMPLES = r"""
- name: Show what worker3 alone consumes from
  ansible.builtin.debug:
    msg: "{{ nodes | celeryops.cluster.unserved_queues(alive.nodes, ['worker3']) }}"
"""

RETURN = r"""
_value:
  description: The names of the queues.
  type: list
  elements: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import unserved_queues


class FilterModule:
    """The filter C(celeryops.cluster.unserved_queues)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unserved_queues": unserved_queues}
