#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_health
version_added: 0.1.0
short_description: Tell whether a Celery cluster is healthy, and why not
description:
  - Examines worker nodes and their queues, and returns RV(healthy) with the RV(reasons).
  - The module doesn't fail because of what it finds, not even when the broker is down. The caller
    decides, by C(failed_when) or C(until). It fails only for wrong options and for an app that the
    host doesn't know.
  - "A node is healthy when it answers, no other worker bears its name, it consumes from exactly
    the queues of the inventory, it has at least one process, it runs the release of the inventory
    (a node that doesn't tell its release is not at fault), and it isn't wedged: one that holds
    tasks and runs none is looked at again after 3 seconds."
  - The cluster is healthy when all examined nodes are, and each of their queues has a consumer.
  - With O(broker_url) the inventory isn't known. The nodes that answer are examined then, and
    neither their queues nor their release can be judged.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.read_only
  - celeryops.cluster.celery
notes:
  - Nothing should be restarted because one examination found a node silent. During a failover of
    the broker, tasks may flow while the remote control is silent for a minute.
  - A node is looked at again only if 4 seconds of the O(timeout) are left by then.
seealso:
  - module: celeryops.cluster.celery_info
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Wait until the nodes of this host are healthy
  celeryops.cluster.celery_health:
    app: shop
  register: shop
  until: shop.healthy
  retries: 10
  delay: 3

- name: Fail with the reasons unless the whole cluster is healthy
  celeryops.cluster.celery_health:
    app: shop
    nodes: all
  register: shop
  failed_when: not shop.healthy
  run_once: true

- name: Examine one pool
  celeryops.cluster.celery_health:
    app: shop
    nodes: all
    pool: cpu
  run_once: true
"""

RETURN = r"""
healthy:
  description: Whether no reason against it was found.
  returned: success
  type: bool
  sample: false
reasons:
  description: Why the cluster isn't healthy; those of a node begin with its name.
  returned: success
  type: list
  elements: str
  sample: ["cpu1@worker1: doesn't consume from 'default'"]
nodes:
  description: The verdict by the name of the node. What a node didn't tell is null.
  returned: success
  type: dict
  contains:
    healthy:
      description: Whether no reason against it was found.
      type: bool
      returned: always
    reasons:
      description: Why the node isn't healthy.
      type: list
      elements: str
      returned: always
    kind:
      description: The kind of its pool, for example V(prefork).
      type: str
      returned: always
    processes:
      description: The number of its processes, or of its threads or greenlets at most.
      type: int
      returned: always
    queues:
      description: The queues it consumes from.
      type: list
      elements: str
      returned: always
    active:
      description: The number of tasks it runs.
      type: int
      returned: always
    reserved:
      description: The number of tasks it holds and hasn't begun.
      type: int
      returned: always
    release:
      description: The release it runs.
      type: str
      returned: always
  sample:
    cpu1@worker1:
      healthy: false
      reasons: ["doesn't consume from 'default'"]
      kind: prefork
      processes: 2
      queues: [mail]
      active: 0
      reserved: 0
      release: 1.4.0-1a2b3c4d
queues:
  description: The queues of the examined nodes, by name.
  returned: success
  type: dict
  contains:
    ready:
      description:
        - The number of messages that wait in the broker, of all priorities.
        - Null for a queue that RabbitMQ doesn't have.
      type: int
      returned: always
    consumers:
      description: The examined nodes that consume from it.
      type: list
      elements: str
      returned: always
  sample:
    default:
      ready: 12
      consumers: []
unknown_nodes:
  description:
    - The nodes that answered and aren't in the inventory. They don't make the cluster unhealthy.
    - They can be seen only when the whole cluster is examined.
  returned: success
  type: list
  elements: str
  sample: []
missing:
  description: The nodes that were silent. What they are doing isn't known.
  returned: success
  type: list
  elements: str
  sample: []
errors:
  description: The questions that a node refused to answer, by the name of the node.
  returned: success
  type: dict
  sample: {}
duplicates:
  description: The names under which more than one worker answered.
  returned: success
  type: list
  elements: str
  sample: []
elapsed:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 0.45
"""

from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import BrokerError
from ansible_collections.celeryops.cluster.plugins.module_utils._health import Health, examine


def health(session: Session) -> dict[str, Any]:
    try:
        with session.client() as client:
            verdict = examine(client, session.cluster, session.selection(anywhere=True))
    except BrokerError as error:
        verdict = Health(reasons=[str(error)])
    return verdict.result()


def main() -> None:
    run({}, health)


if __name__ == "__main__":
    main()
