# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: pool_resizes
short_description: Picks the sizes that concern the pools of a host
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - What M(celeryops.cluster.celery_pool) is to be told, for each of the host's pools.
options:
  _input:
    description: The pools of the host, as P(celeryops.cluster.host_pools#filter) has them.
    type: list
    elements: dictionary
    required: true
  sizes:
    description: By pool, the number of processes, or C(min) and C(max) of one that autoscales.
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Resize the pools of the host
  celeryops.cluster.celery_pool:
    app: shop
    pool: "{{ item.pool }}"
    size: "{{ item.size }}"
  loop: "{{ pools | celeryops.cluster.pool_resizes({'cpu': 8}) }}"
"""

RETURN = r"""
_value:
  description: The C(pool) of each, with its C(size), or C(min) and C(max).
  type: list
  elements: dictionary
  sample: [{pool: cpu, size: 8}]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import pool_resizes


class FilterModule:
    """The filter C(celeryops.cluster.pool_resizes)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pool_resizes": pool_resizes}
