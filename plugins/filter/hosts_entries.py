# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: hosts_entries
short_description: Writes the lines of a hosts file
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A name may have several addresses. Their order differs from host to host, so that the
    connections of many hosts spread over them, and stays the same on each.
options:
  _input:
    description:
      - The results of C(ansible.builtin.getent), database C(ahosts), in a loop over items with a
        C(name) and the C(address) to look up.
    type: list
    elements: dictionary
    required: true
  seed:
    description: What the order of a name's addresses depends on, such as the name of the host.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Look up the brokers
  ansible.builtin.getent:
    database: ahosts
    key: "{{ item.address }}"
  loop:
    - name: broker
      address: broker1.example
    - name: broker
      address: broker2.example
  register: __found

- name: Show the lines
  ansible.builtin.debug:
    msg: "{{ __found.results | celeryops.cluster.hosts_entries(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: string
  sample: ["10.0.0.2 broker", "10.0.0.1 broker"]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._hosts import hosts_entries


class FilterModule:
    """The filter C(celeryops.cluster.hosts_entries)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"hosts_entries": hosts_entries}
