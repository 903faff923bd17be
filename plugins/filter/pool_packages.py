# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: pool_packages
short_description: Lists the packages that the kinds of a cluster's pools take
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Every host gets the same release, so the kinds of all hosts count.
options:
  _input:
    description: The pools that any host runs.
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show the packages
  ansible.builtin.debug:
    msg: "{{ [{'name': 'io', 'kind': 'gevent'}] | celeryops.cluster.pool_packages }}"
"""

RETURN = r"""
_value:
  description: Pip requirements.
  type: list
  elements: string
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._layers import pool_packages


class FilterModule:
    """The filter C(celeryops.cluster.pool_packages)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pool_packages": pool_packages}
