# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: safe_settings
short_description: Gives the settings of Celery that keep tasks safe with a broker
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - With these settings a task survives a crash, a restart and a short outage of the broker.
options:
  _input:
    description: The broker's URL, of which only the scheme matters.
    type: string
    required: true
  stop_timeout:
    description: Seconds that the longest task may take.
    type: integer
    required: true
"""

EXAMPLES = r"""
- name: Show the settings for RabbitMQ
  ansible.builtin.debug:
    msg: "{{ 'amqp://broker1' | celeryops.cluster.safe_settings(stop_timeout=3600) }}"
"""

RETURN = r"""
_value:
  description: Celery's settings by their lower-case names.
  type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._settings import safe_settings


class FilterModule:
    """The filter C(celeryops.cluster.safe_settings)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"safe_settings": safe_settings}
