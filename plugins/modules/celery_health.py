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
    the queues that it should, it has as many processes as it should, it runs the release of the
    inventory (a node that doesn't tell its release is not at fault), and it works."
  - A node should have the queues and the number of processes of the inventory, or those that were
    set live and persisted since. Under C(--autoscale) it should have the lower bound.
  - "A node doesn't work when it holds tasks and runs none; when messages wait in its queues, it
    could run more, and begins none; or when each of its processes holds a task that is far older
    than its hard time limit. A node that looks like that is looked at again after 3 seconds."
  - With O(canary), a node works only if a small task comes back that is sent to it alone.
  - The cluster is healthy when all examined nodes are, each of their queues has a consumer, no more
    than O(max_backlog) tasks wait for it, and none for longer than O(max_age).
  - If the whole cluster is examined, by O(nodes=all) or by default on a host without nodes, one
    beat must tick where the inventory has any, and never more than one.
  - With O(broker_url) the inventory isn't known. The nodes that answer are examined then, and
    neither their queues nor their release nor the number of their processes can be judged.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.read_only
  - celeryops.cluster.celery
options:
  canary:
    version_added: 0.2.0
    description:
      - Whether to send each node a task that must come back. It proves that the node fetches and
        runs what is sent, while its other answers only prove that it can be controlled.
      - The task goes into a queue that belongs to the node alone, so that no other node takes it
        and no other task is in its way. It takes a process for some milliseconds, and needs no
        result backend.
      - Nodes without the package C(celeryops_runtime), paused ones and busy ones, all of whose
        processes run a task, can't prove anything. RV(nodes.canary_reason) says so then, and it
        is no reason against them.
    type: bool
    default: false
  canary_timeout:
    version_added: 0.2.0
    description:
      - Seconds within which the canary must come back; at most what is left of the O(timeout).
    type: float
    default: 5.0
  max_backlog:
    version_added: 0.2.0
    description:
      - How many tasks may wait for a queue, those that wait in the broker and those that the
        examined nodes hold and haven't begun taken together.
      - By default any number.
    type: int
  max_age:
    version_added: 0.2.0
    description:
      - For how many seconds the oldest task of a queue may have waited in the broker.
      - It is known on Redis where publishers run with the package C(celeryops_runtime), or stamp
        their tasks as it does. RabbitMQ doesn't show its messages. There, the wait of the task that
        came to a node last stands for it, if it came within the last minute.
      - A queue of which nothing is known is not at fault.
      - By default any time.
    type: float
notes:
  - Nothing should be restarted because one examination found a node silent. During a failover of
    the broker, tasks may flow while the remote control is silent for a minute.
  - A node is looked at again only if 4 seconds of the O(timeout) are left by then.
  - "A silent node is waited for as long as that many seconds are left. If other nodes answer, it is
    given up after 2 seconds in which nobody has answered, or after 10 times as long as the slowest
    of them took."
  - Beat is judged where the workers run with the package C(celeryops_runtime), which makes it
    answer as long as its schedule goes on. That of a Celery before 5.7 can't, and nothing is said
    of it.
  - The age of a task is told by the clock of its host, which may differ by less than 30 seconds. A
    time limit that was given with a single task isn't known.
  - "What a worker of kind V(solo) does can't be asked while it runs a task: it is silent then."
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

- name: Prove that each node runs what is sent to it, and that nothing piles up
  celeryops.cluster.celery_health:
    app: shop
    nodes: all
    canary: true
    max_backlog: 1000
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
msg:
  description: The reasons in one sentence.
  returned: always
  type: str
  sample: "Not healthy: cpu1@worker1: doesn't consume from 'default'."
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
      description: The queues it consumes from, without its own.
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
    canary:
      description: Seconds until its canary was back; null if there was none, or it isn't back.
      type: float
      returned: always
    canary_reason:
      description:
        - Why there was no canary, or none came back, for example V(paused) or V(busy).
        - Null if it came back, and without O(canary).
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
      canary: 0.021
      canary_reason: null
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
    reserved:
      description: The number of tasks from it that the examined nodes hold and haven't begun.
      type: int
      returned: always
    backlog:
      description: Both together.
      type: int
      returned: always
    age:
      description:
        - With O(max_age), for how many seconds the oldest task has waited.
        - Null if it isn't known, or if nothing waits.
      type: float
      returned: always
    age_kind:
      description:
        - V(exact), V(at_least), V(last) if it is the wait of the task that came to a node last, or
          V(unknown).
      type: str
      returned: always
    consumers:
      description: The examined nodes that consume from it.
      type: list
      elements: str
      returned: always
  sample:
    default:
      ready: 12
      reserved: 2
      backlog: 14
      age: null
      age_kind: unknown
      consumers: []
beats:
  description: The beats that answered; only if the whole cluster is examined.
  returned: success
  type: list
  elements: str
  sample: [celerybeat@beat1]
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
from ansible_collections.celeryops.cluster.plugins.module_utils._examination import limits_of
from ansible_collections.celeryops.cluster.plugins.module_utils._health import Health, examine

OPTIONS: dict[str, dict[str, Any]] = {
    "canary": {"type": "bool", "default": False},
    "canary_timeout": {"type": "float", "default": 5.0},
    "max_backlog": {"type": "int"},
    "max_age": {"type": "float"},
}


def health(session: Session) -> dict[str, Any]:
    params = session.params
    limits = limits_of(
        params["canary"], params["canary_timeout"], params["max_backlog"], params["max_age"]
    )
    try:
        with session.client() as client:
            selection = session.selection(anywhere=True)
            verdict = examine(client, session.cluster, selection, limits)
    except BrokerError as error:
        verdict = Health(reasons=[str(error)])
    return verdict.result()


def main() -> None:
    run(OPTIONS, health)


if __name__ == "__main__":
    main()
