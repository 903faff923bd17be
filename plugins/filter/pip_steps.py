# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: pip_steps
short_description: Lists the calls of pip that install a release
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Without a file of requirements one call resolves all. With one, that file alone decides what
    comes from the package index, so that hashes in it hold for every dependency.
options:
  _input:
    description: The requirement or the path of the application itself.
    type: string
    required: true
  packages:
    description: Further pip requirements; with a file, it must hold them.
    type: list
    elements: string
    required: true
  requirements:
    description: Path of the file on the host; empty for none.
    type: string
    default: ""
"""

EXAMPLES = r"""
- name: Show the steps
  ansible.builtin.debug:
    msg: "{{ 'shop==1.4.0' | celeryops.cluster.pip_steps(['gevent']) }}"
"""

RETURN = r"""
_value:
  description: The C(name) or C(requirements), and the C(extra_args), of each call.
  type: list
  elements: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._pip import pip_steps


class FilterModule:
    """The filter C(celeryops.cluster.pip_steps)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pip_steps": pip_steps}
