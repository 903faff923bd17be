# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: change_report
short_description: Tells what a rolling change has done, and how the cluster worked meanwhile
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - The report of C(rolling_update), C(site), C(rollback) and C(restart), as text and as a page.
  - What has become of a host is read from the variables that the role C(worker) leaves.
options:
  _input:
    description: The batches, as the filter P(celeryops.cluster.batches#filter) gives them.
    type: list
    elements: list
    required: true
  hostvars:
    description: The variables of the hosts.
    type: dictionary
    required: true
  app:
    description: Name of the application.
    type: string
    required: true
  release:
    description: Name of the release that the hosts get; empty for a restart.
    type: string
    required: true
  recording:
    description:
      - What the module M(celeryops.cluster.celery_recording) wrote meanwhile.
      - Empty if there is nothing.
    type: string
    required: true
  now:
    description: The present time, in seconds of Unix time.
    type: float
    required: true
"""

EXAMPLES = r"""
- name: Show what was done
  ansible.builtin.debug:
    msg: >-
      {{ ([['worker1'], ['worker2']] | celeryops.cluster.change_report(
         hostvars, app='shop', release='1.4.0-ab12', recording='', now=now().timestamp())).lines }}
"""

RETURN = r"""
_value:
  description: The C(lines) of the text, and the C(page) as HTML.
  type: dictionary
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._report import report_of
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_lines import report_lines
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_page import report_page


def change_report(*arguments: Any, **options: Any) -> dict[str, Any]:
    report = report_of(*arguments, **options)
    return {"lines": report_lines(report), "page": report_page(report)}


class FilterModule:
    """The filter C(celeryops.cluster.change_report)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"change_report": change_report}
