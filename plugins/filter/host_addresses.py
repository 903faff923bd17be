# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: host_addresses
short_description: Lists how the cluster's hosts reach some of them
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The address is a host's C(celery_address), else its C(ansible_host), else its name.
options:
  _input:
    description: The hosts' names in the inventory.
    type: list
    elements: string
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Show the brokers' addresses
  ansible.builtin.debug:
    msg: "{{ groups['celery_broker'] | celeryops.cluster.host_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: For each host the first part of its C(name) and its C(address).
  type: list
  elements: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._hosts import host_addresses


class FilterModule:
    """The filter C(celeryops.cluster.host_addresses)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_addresses": host_addresses}
