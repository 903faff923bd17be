# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: program_services
short_description: Describes the services of an application's programs
version_added: 0.1.0
author: The celeryops.cluster authors (@celeryops)
description:
  - A program, such as the web server of a release, is a service.
options:
  _input:
    description: The programs, as in C(celery_app_programs).
    type: list
    elements: dictionary
    required: true
  app:
    description: Name of the application.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Show the units of the programs
  ansible.builtin.debug:
    msg: >-
      {{ celery_app_programs | celeryops.cluster.program_services('shop') | map(attribute='unit') }}
"""

RETURN = r"""
_value:
  description: The services, as the role C(_common) takes them.
  type: list
  elements: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._services import program_services


class FilterModule:
    """The filter C(celeryops.cluster.program_services)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"program_services": program_services}
