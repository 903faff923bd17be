# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: wheel_steps
short_description: Lists the calls of pip that build the wheels of a release
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - One call resolves the release. What builds it and what others need is resolved apart.
options:
  _input:
    description: The requirement or the path of the application itself.
    type: string
    required: true
  packages:
    description: Further pip requirements.
    type: list
    elements: string
    required: true
  builders:
    description: What builds the application's directory.
    type: list
    elements: string
    default: []
  requirements:
    description: Path of the file on the host that pins all of these; empty for none.
    type: string
    default: ""
  others:
    description: Pip requirements of other hosts' releases.
    type: list
    elements: string
    default: []
"""

EXAMPLES = r"""
- name: Show the steps
  ansible.builtin.debug:
    msg: "{{ '/src/shop' | celeryops.cluster.wheel_steps(['gevent'], ['setuptools']) }}"
"""

RETURN = r"""
_value:
  description: The arguments of each call.
  type: list
  elements: list
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._pip import wheel_steps


class FilterModule:
    """The filter C(celeryops.cluster.wheel_steps)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"wheel_steps": wheel_steps}
