# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: url_quote
short_description: Quotes a user name, a password or a virtual host for a URL
version_added: 0.2.0
author: The celeryops.cluster authors (@celeryops)
description:
  - Percent-encodes all that isn't a letter, a digit or one of C(_.-~).
  - P(ansible.builtin.urlencode#filter) leaves a slash as it is, and with a slash in its password
    a URL names another host.
seealso:
  - plugin: celeryops.cluster.broker_url
    plugin_type: filter
options:
  _input:
    description: The text.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Ask a cluster by the URL of its broker
  celeryops.cluster.celery_info:
    broker_url: "redis://:{{ broker_password | celeryops.cluster.url_quote }}@broker1:6379/0"
"""

RETURN = r"""
_value:
  description: The quoted text.
  type: string
  sample: p%40ss%3Aw%2Frd
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.celeryops.cluster.plugins.plugin_utils._urls import quote_part


class FilterModule:
    """The filter C(celeryops.cluster.url_quote)."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"url_quote": quote_part}
