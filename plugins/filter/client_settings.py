# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: client_settings
short_description: Works out all that clients of the broker and the result backend must know
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - URLs with quoted passwords, and the settings of Celery that fit the broker.
options:
  _input:
    description:
      - The broker with its C(kind), V(redis) or V(rabbitmq), C(host), C(port), C(path), which is
        the database number or the virtual host, and C(passwords), one for each role.
    type: dictionary
    required: true
  backend:
    description:
      - The result backend with its C(kind), V(redis) or V(rpc), and for Redis C(host), C(port),
        C(path) and C(password).
    type: dictionary
    required: true
  task_limit:
    description: Seconds that the longest task may take.
    type: integer
    required: true
"""

EXAMPLES = r"""
- name: Show the settings for a broker
  ansible.builtin.debug:
    msg: "{{ (broker | celeryops.cluster.client_settings({'kind': 'rpc'}, 3600)).settings }}"
  vars:
    broker:
      kind: rabbitmq
      host: broker.example
      port: 5672
      path: shop
      passwords: "{{ passwords }}"
"""

RETURN = r"""
_value:
  description:
    - C(broker_url) and C(result_backend), the C(settings) of Celery, and C(control), which holds
      the keys of a control file that depend on the broker or the backend.
  type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._clients import client_settings


class FilterModule:
    """The filter C(celeryops.cluster.client_settings)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"client_settings": client_settings}
