#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_pool
version_added: 0.1.0
short_description: Resize or restart the pools of Celery workers, live
description:
  - Brings the pools of worker nodes to a number of processes, without a restart and without losing
    a task.
  - O(size) is absolute. A node that has this size already is left alone.
  - To grow, a node gets one command. The module returns when the new processes are there, which
    takes up to 5 seconds.
  - To shrink, a node stops consuming, runs what it holds, ends the surplus processes while it is
    idle, and consumes again. Each of these steps is verified. If the node isn't idle in time, or
    whatever else fails, it consumes again and keeps its size.
  - On RabbitMQ from 4.0 on, and with quorum queues, consumers keep the prefetch count that they
    began with, so that new processes would get no tasks. There a node also stops consuming before
    it grows, until it is idle but for 2 seconds at most, and consumes again with the new count. If
    it still runs tasks then, it takes as many more as its new size allows, and the surplus waits in
    it until some have ended.
  - To restart, a node that is paused and idle gets as many new processes as it has, and then ends
    the old ones. It consumes nothing for about 6 seconds. Celery's own C(pool_restart) isn't used,
    since it leaves idle processes as they are, and needs C(worker_pool_restarts), which lets
    anybody at the broker import modules.
  - A change is sent once in a run. Whether a node that was silent has carried it out is told by
    the node's state, not guessed, and a run that ended early is completed by the next one.
  - Pools of kind C(prefork), C(gevent) and C(eventlet) can be resized. Those of kind C(threads)
    and C(solo) can't.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.changing
  - celeryops.cluster.celery.changing_nodes
  - celeryops.cluster.celery
attributes:
  idempotent:
    support: partial
    details:
      - With O(restarted=true) each run restarts.
options:
  size:
    description:
      - The number of processes that each of the nodes shall have, from 1 to 1000.
      - Nodes that run under C(--autoscale) are refused, since it would undo the size. Set
        O(autoscale_min) and O(autoscale_max) for them.
    type: int
  autoscale_min:
    description:
      - The lower bound for nodes that run under C(--autoscale), from 1 to 1000.
      - It must not be above O(autoscale_max). Celery itself takes such a range.
      - It needs O(autoscale_max).
    type: int
  autoscale_max:
    description:
      - The upper bound for nodes that run under C(--autoscale), from 1 to 1000.
      - To bring it below the present number of processes is done like shrinking.
      - It needs O(autoscale_min).
    type: int
  restarted:
    version_added: 0.2.0
    description:
      - Whether to replace every process by a new one, without a change of the size, in each run.
      - Only pools of kind C(prefork) that don't run under C(--autoscale) can be restarted.
      - It can't be combined with the size or the range, and needs a O(timeout) of 10 seconds or
        more. With O(nodes=all) all nodes pause at about the same time.
    type: bool
    default: false
  persist:
    description:
      - Whether the size or range shall outlast the next start of the workers.
      - It is kept in C(/etc/celeryops/<app>/pools/<pool>.env) until the inventory's own size or
        range for the pool changes. If it is the inventory's, it is removed there.
      - It needs O(app), all nodes of the pool on the host, and a run on that host; for a range, the
        inventory must declare one for the pool.
      - It doesn't matter with O(restarted=true).
    type: bool
    default: true
notes:
  - Without O(nodes) and O(pool), all pools of the host get the same size.
  - Growing makes a node hold more tasks in advance, in proportion.
  - After a lost connection to RabbitMQ, Celery itself gives a node under C(--autoscale) a prefetch
    count by the processes that are there, until its next start.
seealso:
  - module: celeryops.cluster.celery_health
  - module: celeryops.cluster.celery_info
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Give the pool cpu 8 processes on each host, from now on
  celeryops.cluster.celery_pool:
    app: shop
    pool: cpu
    size: 8

- name: Shrink a pool that runs long tasks, and allow five minutes for them
  celeryops.cluster.celery_pool:
    app: shop
    pool: cpu
    size: 2
    timeout: 300

- name: Double the pool for tonight, from one host for all of them
  celeryops.cluster.celery_pool:
    app: shop
    nodes: all
    pool: cpu
    size: 16
    persist: false
  run_once: true

- name: Move the bounds of a pool under --autoscale
  celeryops.cluster.celery_pool:
    app: shop
    pool: web
    autoscale_min: 2
    autoscale_max: 12

- name: Replace the processes of the pool cpu, one host after the other
  celeryops.cluster.celery_pool:
    app: shop
    pool: cpu
    restarted: true
    timeout: 60
  throttle: 1
"""

RETURN = r"""
nodes:
  description: The nodes that answered, by name.
  returned: when the nodes could be read
  type: dict
  contains:
    before:
      description:
        - The size before, or the range as V(min) and V(max), or with O(restarted=true) the ids of
          the processes.
      type: raw
      returned: always
    after:
      description:
        - The same afterwards; in check mode, as it would be. The ids of processes that would be
          started aren't known, and are V(null).
      type: raw
      returned: always
  sample:
    cpu1@worker1:
      before: 2
      after: 8
persisted:
  description: The values of the file that outlasts a start, by pool; empty where there is no file.
  returned: when the nodes could be read
  type: dict
  sample:
    cpu:
      before: {}
      after:
        CELERYOPS_DECLARED_SIZE: "2"
        CELERY_WORKER_CONCURRENCY: "8"
missing:
  description:
    - The nodes that were silent. The others are done, then the module fails.
  returned: when the nodes could be read
  type: list
  elements: str
  sample: []
errors:
  description: Why a node isn't as it should be, by name. The module fails then.
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
  sample: 5.1
"""

from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import selected
from ansible_collections.celeryops.cluster.plugins.module_utils._pool import (
    Restart,
    refuse_fixed_pools,
    target_of,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import (
    RANGE,
    SIZE,
    pool_files,
    refuse_unkept,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._resize import set_pools

OPTIONS: dict[str, dict[str, Any]] = {
    "size": {"type": "int"},
    "autoscale_min": {"type": "int"},
    "autoscale_max": {"type": "int"},
    "restarted": {"type": "bool", "default": False},
    "persist": {"type": "bool", "default": True},
}


def pool(session: Session) -> dict[str, Any]:
    params, cluster = session.params, session.cluster
    target = target_of(
        params["size"], params["autoscale_min"], params["autoscale_max"], params["restarted"]
    )
    persist = params["persist"] and not isinstance(target, Restart)
    if persist:
        refuse_unkept(cluster)
    with session.client() as client:
        nodes = selected(client, cluster, session.selection(anywhere=False))
        refuse_fixed_pools(cluster, nodes, target)
        kept = SIZE if isinstance(target, int) else RANGE
        files = pool_files(cluster, nodes, kept, lambda _: str(target)) if persist else []
        return set_pools(client, nodes, target, files, session.check_mode)


def main() -> None:
    run(
        OPTIONS,
        pool,
        mutually_exclusive=[("size", "autoscale_min"), ("size", "autoscale_max")],
        required_together=[("autoscale_min", "autoscale_max")],
    )


if __name__ == "__main__":
    main()
