# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: pool_problems
short_description: Says what is wrong with celery_worker_pools
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Checks names, kinds, numbers and queues before anything is changed on a host.
options:
  _input:
    description: The pools.
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Refuse pools that can't work
  ansible.builtin.assert:
    that: (celery_worker_pools | celeryops.cluster.pool_problems) | length == 0
    fail_msg: "{{ celery_worker_pools | celeryops.cluster.pool_problems | join(' ') }}"
"""

RETURN = r"""
_value:
  description: A sentence for each problem; empty when there is none.
  type: list
  elements: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._pools import pool_problems


class FilterModule:
    """The filter C(celeryops.cluster.pool_problems)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pool_problems": pool_problems}
