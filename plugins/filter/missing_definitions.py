# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: missing_definitions
short_description: Says what a RabbitMQ cluster lacks for an application
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The virtual host, the users C(worker), C(producer), C(control) and C(monitor) with their
    permissions, the policy of the queues and the queue of dead letters.
options:
  _input:
    description: What the cluster has, as C(rabbitmqctl export_definitions) gives it.
    type: dictionary
    required: true
  vhost:
    description: The virtual host.
    type: string
    required: true
  queues:
    description: The queues of tasks, which producers may write to.
    type: list
    elements: string
    required: true
  passwords:
    description: The password of each user.
    type: dictionary
    required: true
  consumer_timeout:
    description: Seconds that a worker may keep a task.
    type: integer
    required: true
"""

EXAMPLES = r"""
- name: Show what is missing
  ansible.builtin.debug:
    msg: >-
      {{ exported | celeryops.cluster.missing_definitions(
         vhost='shop', queues=['celery'], passwords=passwords, consumer_timeout=3600) }}
"""

RETURN = r"""
_value:
  description: The definitions that are missing or different, by kind, ready to be imported.
  type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._rabbitmq import (
    missing_definitions,
)


class FilterModule:
    """The filter C(celeryops.cluster.missing_definitions)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"missing_definitions": missing_definitions}
