# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: started_with
short_description: Works out what the instances of services are started with
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - An instance restarts when what it is started with changes.
options:
  _input:
    description: The services, as the role C(_common) takes them.
    type: list
    elements: dictionary
    required: true
  release:
    description: Name of the release that they run.
    type: string
    required: true
  config:
    description: Digest of the configuration files that they read.
    type: string
    required: true
  unit:
    description: What their units are made of beside the services.
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
- name: Show what the first service is started with
  ansible.builtin.debug:
    msg: "{{ described[0].file }}"
  vars:
    described: >-
      {{ services | celeryops.cluster.started_with(
         release='1.4.0-ab12cd34', config='5f3a',
         unit=[lookup('ansible.builtin.file', 'service.j2'), 'celery']) }}
"""

RETURN = r"""
_value:
  description: The services, each with C(file), the content of its instance's environment file.
  type: list
  elements: dictionary
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.celeryops.cluster.plugins.plugin_utils._instances import started_with


def _started_with(
    services: Sequence[Mapping[str, Any]], release: str, config: str, unit: Sequence[Any]
) -> list[dict[str, Any]]:
    try:
        return started_with(services, release, config, unit)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter C(celeryops.cluster.started_with)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"started_with": _started_with}
