# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: plan_lines
short_description: Tells in lines which hosts change in which batch
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A line for each batch in which anything changes, with the releases and with the hosts that keep
    working meanwhile, and a line for the hosts on which nothing that runs changes.
options:
  _input:
    description: The batches, as the filter P(celeryops.cluster.batches#filter) gives them.
    type: list
    elements: list
    required: true
  running:
    description: By the name of a host that changes, the releases that its instances run.
    type: dictionary
    required: true
  release:
    description: Name of the release that they get.
    type: string
    required: true
  workers:
    description: Names of all hosts of the cluster that work, also those that are in no batch.
    type: list
    elements: string
    required: true
  surging:
    description: Names of the hosts that keep working while they change.
    type: list
    elements: string
    default: []
"""

EXAMPLES = r"""
- name: Show the plan
  ansible.builtin.debug:
    msg: >-
      {{ [['worker1'], ['worker2', 'worker3']] | celeryops.cluster.plan_lines(
         running={'worker1': ['1.3.0-ef56'], 'worker3': ['1.3.0-ef56']}, release='1.4.0-ab12',
         workers=['worker1', 'worker2', 'worker3', 'worker4']) }}
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: string
  sample: ["Batch 1 of 2: worker1 (1.3.0-ef56 -> 1.4.0-ab12); 3 of 4 hosts keep working"]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._rolling import plan_lines


class FilterModule:
    """The filter C(celeryops.cluster.plan_lines)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"plan_lines": plan_lines}
