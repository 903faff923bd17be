# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: broker_url
short_description: Builds the URL of a broker or backend from its parts
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Quotes each part, so that a password may hold any character.
options:
  _input:
    description: The password; empty for none.
    type: string
    required: true
  host:
    description: Name or address of the host.
    type: string
    required: true
  port:
    description: The port.
    type: integer
    required: true
  scheme:
    description: The URL's scheme.
    type: string
    default: redis
  username:
    description: The user; empty for none.
    type: string
    default: ""
  path:
    description: Redis database number or RabbitMQ virtual host.
    type: string
    default: ""
"""

EXAMPLES = r"""
- name: Show where the broker is
  ansible.builtin.debug:
    msg: "{{ 'p@ss:w/rd' | celeryops.cluster.broker_url(host='broker1', port=6379, path=0) }}"
"""

RETURN = r"""
_value:
  description: The URL.
  type: string
  sample: "redis://:p%40ss%3Aw%2Frd@broker1:6379/0"
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._urls import build_url


def broker_url(
    password: str, host: str, port: int, scheme: str = "redis", username: str = "", path: str = ""
) -> str:
    return build_url(
        host=host, port=port, scheme=scheme, username=username, password=password, path=path
    )


class FilterModule:
    """The filter C(celeryops.cluster.broker_url)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"broker_url": broker_url}
