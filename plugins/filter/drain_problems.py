# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: drain_problems
short_description: Says what is wrong with a wish to drain
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A sentence for each name that nobody bears.
options:
  _input:
    description: The nodes of the inventory, as P(celeryops.cluster.cluster_nodes#filter) has them.
    type: dictionary
    required: true
  hosts:
    description: The hosts of the run.
    type: list
    elements: string
    required: true
  pool:
    description: The only pool that is drained; empty for all.
    type: string
    required: true
  queues:
    description: The only queues that are drained; empty for all.
    type: list
    elements: string
    required: true
"""

EXAMPLES = r"""
- name: The pool can be drained
  ansible.builtin.assert:
    that: nodes | celeryops.cluster.drain_problems(hosts, 'cpu', []) | length == 0
"""

RETURN = r"""
_value:
  description: The sentences.
  type: list
  elements: string
  sample: ["celery_worker_drain_pool: no pool is named 'cpi' (did you mean 'cpu'?): …"]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import drain_problems


class FilterModule:
    """The filter C(celeryops.cluster.drain_problems)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"drain_problems": drain_problems}
