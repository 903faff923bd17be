#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_consumer
version_added: 0.2.0
short_description: Set the queues that Celery workers consume from, live
description:
  - Adds queues to what worker nodes consume from, takes some away, or sets exactly which they are,
    without a restart.
  - A worker confirms such a command before it acts. The module returns when the node shows that it
    consumes from what it should.
  - Queues are added before others are given up, so that no node is without one in between.
  - A queue that doesn't exist is created by the workers. It becomes what they would make of it at
    their start, of the cluster's type and bound to an exchange of its own name, unless something
    else is said in O(queues). On RabbitMQ, it is also bound to the queues that hold tasks with a
    time to come, which a worker does only at its start; without that such tasks would be lost.
  - On RabbitMQ, a worker dies of a queue or an exchange that exists with another definition. So the
    module compares them before it sends anything, and fails in such a case.
  - A worker keeps the first definition of a queue until it ends, whatever it is told later. If that
    isn't what O(queues) says, the module fails, and the node doesn't consume from the queue.
  - A node's own queue, C(<node>.dq2), is never changed.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.changing
  - celeryops.cluster.celery.changing_nodes
  - celeryops.cluster.celery
options:
  queues:
    description:
      - The queues, each a name, or a dictionary for a queue that isn't like the others.
      - The dictionary has the keys C(name), C(exchange), C(exchange_type), C(routing_key),
        C(durable) and C(queue_arguments). All but the first can be left out, and aren't compared
        then.
    type: list
    elements: raw
    required: true
  state:
    description:
      - V(present) lets the nodes consume from these queues too.
      - V(absent) lets them no longer consume from these queues. The queues stay, with what is in
        them.
      - V(exact) lets them consume from these queues and no others.
      - A node must be left at least one queue. To pause it, use M(celeryops.cluster.celery_worker).
      - A node that is paused is refused, unless for V(absent).
    type: str
    choices: [present, absent, exact]
    default: present
  persist:
    description:
      - Whether the queues shall outlast the next start of the workers.
      - They are kept in C(/etc/celeryops/<app>/pools/<pool>.env) until the inventory's own queues
        for the pool change. If they are the inventory's, nothing is kept.
      - It needs O(app), all nodes of the pool on the host, and a run on that host.
      - Only names are kept. A queue with an exchange, a routing key or arguments of its own can be
        kept if C(task_queues) of the app declares it like that.
    type: bool
    default: true
notes:
  - Without O(nodes) and O(pool), all pools of the host get the same queues.
  - A task that is sent to a queue without a consumer waits there.
  - Tasks that a node holds already are run by it, also those of a queue that it gave up.
seealso:
  - module: celeryops.cluster.celery_worker
  - module: celeryops.cluster.celery_queue
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Let the pool cpu work off the queue reports too, from now on
  celeryops.cluster.celery_consumer:
    app: shop
    pool: cpu
    queues: [reports]

- name: No longer, on all hosts by one broadcast, and only until the workers start anew
  celeryops.cluster.celery_consumer:
    app: shop
    nodes: all
    pool: cpu
    queues: [reports]
    state: absent
    persist: false
  run_once: true

- name: Consume from these two and no others
  celeryops.cluster.celery_consumer:
    app: shop
    pool: cpu
    queues: [default, mail]
    state: exact

- name: Consume from a queue that gets what matches a pattern
  celeryops.cluster.celery_consumer:
    app: shop
    pool: cpu
    queues:
      - name: audit
        exchange: events
        exchange_type: topic
        routing_key: order.#
    persist: false
"""

RETURN = r"""
nodes:
  description: The nodes that answered, by name.
  returned: when the nodes could be read
  type: dict
  contains:
    before:
      description: The queues before.
      type: list
      returned: always
    after:
      description: The queues afterwards; in check mode, as they would be.
      type: list
      returned: always
  sample:
    cpu1@worker1:
      before: [default]
      after: [default, reports]
persisted:
  description: The values of the file that outlasts a start, by pool; empty where there is no file.
  returned: when O(persist=true) and the nodes have their queues
  type: dict
  sample:
    cpu:
      before: {}
      after:
        CELERYOPS_DECLARED_QUEUES: default
        CELERY_WORKER_QUEUES: default,reports
missing:
  description:
    - The nodes that were silent. The others get their queues, then the module fails. A busy worker
      of kind C(solo) is silent too.
  returned: when the nodes could be read
  type: list
  elements: str
  sample: []
errors:
  description: Why a node doesn't have its queues, by name. The module fails then.
  returned: when the nodes could be read
  type: dict
  sample: {}
duplicates:
  description: The names that more than one worker bears. The module fails before it changes them.
  returned: when the nodes could be read
  type: list
  elements: str
  sample: []
elapsed:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 0.3
"""

from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._consumer import (
    changed_names,
    set_queues,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import selected
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import (
    QUEUES,
    pool_files,
    refuse_unkept,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_definitions import (
    wanted_queues,
)

OPTIONS: dict[str, dict[str, Any]] = {
    "queues": {"type": "list", "elements": "raw", "required": True},
    "state": {
        "type": "str",
        "choices": ["present", "absent", "exact"],
        "default": "present",
    },
    "persist": {"type": "bool", "default": True},
}


def consumer(session: Session) -> dict[str, Any]:
    params, cluster, state = session.params, session.cluster, session.params["state"]
    wanted = wanted_queues(params["queues"])
    if params["persist"]:
        refuse_unkept(cluster)
    with session.client() as client:
        nodes = selected(client, cluster, session.selection(anywhere=False))
        change = changed_names(state, list(wanted))
        files = pool_files(cluster, nodes, QUEUES, change) if params["persist"] else []
        return set_queues(client, nodes, wanted, state, files, session.check_mode)


def main() -> None:
    run(OPTIONS, consumer)


if __name__ == "__main__":
    main()
