# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: batches
short_description: Puts hosts into the batches in which they change
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Ansible's own C(serial) can't be given by an inventory.
options:
  _input:
    description: The names of the hosts, in the order in which they change.
    type: list
    elements: string
    required: true
  serial:
    description:
      - The sizes of the batches, each a number or a share of all hosts such as C(25%). The last one
        holds until all hosts have their batch. A list, one size, or text with commas.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show the batches
  ansible.builtin.debug:
    msg: "{{ groups['celery_worker'] | celeryops.cluster.batches([1, '25%']) }}"
"""

RETURN = r"""
_value:
  description: The batches, each a list of hosts.
  type: list
  elements: list
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.celeryops.cluster.plugins.plugin_utils._rolling import batches
from ansible_collections.celeryops.cluster.plugins.plugin_utils._scaling import names


def _batches(hosts: Sequence[str], serial: Sequence[int | str] | int | str) -> list[list[str]]:
    sizes = names(str(serial) if isinstance(serial, int) else serial)
    try:
        return batches(hosts, sizes)
    except ValueError as error:
        raise AnsibleFilterError(f"celery_worker_serial: {error}") from error


class FilterModule:
    """The filter C(celeryops.cluster.batches)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"batches": _batches}
