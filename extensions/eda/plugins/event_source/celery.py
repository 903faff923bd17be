# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An event source for ansible-rulebook: what happens in a Celery cluster."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

DOCUMENTATION = r"""
---
short_description: Tells what happens in a Celery cluster.
description:
  - Looks at the cluster at regular intervals, through its broker, and sends an event when something
    has changed, never twice for the same.
  - C(backlog_high) and C(backlog_low) have C(queue), C(backlog) and C(threshold).
  - C(node_lost) and C(node_back) have C(node), C(pool), C(instance), C(host) and C(seconds);
    actions run on that host only, which must be in the inventory by this name.
  - C(failures_high) and C(failures_low) have C(failed), C(ended) and C(share). They need workers
    that send events of their tasks, as those of this collection do.
  - C(broker_lost) and C(broker_back). While the broker is away nothing is said of nodes and queues.
  - Each event has its name as C(type), and a sentence for people as C(text).
  - The Python that runs ansible-rulebook needs C(celery[redis]).
options:
  app:
    description:
      - Name of the application, whose control file this host has, as every host of the cluster
        does. Its nodes are known from the inventory then, and one that never came is missed as
        well.
      - Either this or I(broker_url) must be given.
    type: str
  configuration:
    description:
      - Directory that holds one directory with the control file for each I(app).
    type: str
    default: /etc/celeryops
  broker_url:
    description:
      - URL of the broker, with the password; take it from a vault. Nodes are known when they have
        answered once.
    type: str
  broker_options:
    description:
      - Celery's C(broker_transport_options), together with I(broker_url).
    type: dict
    default: {}
  interval:
    description:
      - Seconds between two looks at the cluster.
    type: float
    default: 10
  timeout:
    description:
      - Seconds that a look may take.
    type: float
    default: 10
  queues:
    description:
      - Names and globs of the queues whose backlog matters; empty for all.
    type: list
    elements: str
    default: []
  backlog_high:
    description:
      - So many tasks that wait for a queue, in the broker and in the nodes, are C(backlog_high).
    type: int
    default: 100
  backlog_low:
    description:
      - So many or fewer are C(backlog_low) afterwards. The default is half of I(backlog_high).
    type: int
  lost_after:
    description:
      - Seconds of silence after which a node is lost. While a broker fails over nodes may be silent
        for a minute and work.
    type: float
    default: 60
  failures_high:
    description:
      - The share of failed tasks, of those that ended within I(failures_window), that is
        C(failures_high).
    type: float
    default: 0.1
  failures_low:
    description:
      - The share at or below which it is C(failures_low) afterwards. The default is half of
        I(failures_high).
    type: float
  failures_window:
    description:
      - Seconds for which tasks that ended are counted.
    type: float
    default: 300
  failures_least:
    description:
      - With fewer tasks within I(failures_window) nothing is said of their failures.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: The shop's cluster
  celeryops.cluster.celery:
    app: shop
    backlog_high: 500
"""

# .../ansible_collections/celeryops/cluster/extensions/eda/plugins/event_source/celery.py
COLLECTIONS = Path(__file__).parents[6]


def _watcher_of(args: dict[str, Any]) -> Any:
    """Ansible's way to import from collections isn't there in ansible-rulebook."""
    sys.path.append(str(COLLECTIONS.parent))
    # The package `ansible` may bring other collections in a directory of its own.
    found = import_module("ansible_collections").__path__
    if str(COLLECTIONS) not in found:
        found.append(str(COLLECTIONS))
    module = import_module("ansible_collections.celeryops.cluster.plugins.plugin_utils._watcher")
    return module.Watcher(module.options(args))


async def main(queue: asyncio.Queue[dict[str, Any]], args: dict[str, Any]) -> None:
    """Send an event for each change, until it is cancelled."""
    watcher = _watcher_of(args)
    try:
        while True:
            for event in await asyncio.to_thread(watcher.look):
                await queue.put(event)
            await asyncio.sleep(watcher.options.interval)
    finally:
        watcher.close()
