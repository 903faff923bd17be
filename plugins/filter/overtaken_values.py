# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: overtaken_values
short_description: Tells which live values of the pools the inventory has overtaken
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A value that was set live, such as a pool's size, holds until the inventory's own value changes.
  - The file that keeps it holds the inventory's value of that time too.
options:
  _input:
    description: The pools, as in C(celery_worker_pools).
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Drop the live values of the pool cpu that the inventory has overtaken
  ansible.builtin.replace:
    path: /etc/celeryops/shop/pools/cpu.env
    regexp: "{{ (celery_worker_pools | celeryops.cluster.overtaken_values)['cpu.env'] }}"
"""

RETURN = r"""
_value:
  description: By the name of each pool's file, a regular expression that matches such values.
  type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._services import overtaken_values


class FilterModule:
    """The filter C(celeryops.cluster.overtaken_values)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"overtaken_values": overtaken_values}
