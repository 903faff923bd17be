# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: differing
short_description: Picks the services of which something would change
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Compares services with the results of looped tasks that ran in check mode.
options:
  _input:
    description: The services, as given to the loops.
    type: list
    elements: dictionary
    required: true
  results:
    description: The C(results) of the looped tasks, one list after the other.
    type: list
    elements: dictionary
    required: true
"""

EXAMPLES = r"""
- name: Stop what changes
  ansible.builtin.systemd_service:
    name: "{{ item.unit }}"
    state: stopped
  loop: "{{ services | celeryops.cluster.differing(__files.results + __links.results) }}"
"""

RETURN = r"""
_value:
  description: The services with a changed result, in their order.
  type: list
  elements: dictionary
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def differing(
    services: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    changed = {result["item"]["unit"] for result in results if result.get("changed")}
    return [service for service in services if service["unit"] in changed]


class FilterModule:
    """The filter C(celeryops.cluster.differing)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"differing": differing}
