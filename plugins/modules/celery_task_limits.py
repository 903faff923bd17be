#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_task_limits
version_added: 0.2.0
short_description: Set the rate limit and the time limits of a task on Celery workers, live
description:
  - Sets how often worker nodes run a task, and how long it may take, without a restart.
  - The limits are read from the nodes, and only what differs by value is sent; V(10/m) is the same
    as V(600/h). What isn't named stays as it is. Celery itself takes off a time limit that isn't
    named.
  - Time limits hold from the next task of the kind on. A worker without the runtime package of this
    collection would confirm them, and go on with those it started with; it is refused.
  - The limits are those of the task itself. A limit that its message carries, or for time limits
    the worker's own defaults (options C(--time-limit) and C(--soft-time-limit)), hold beside them.
  - Workers keep them in their memory. What a worker starts with is told by O(persist).
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.changing
  - celeryops.cluster.celery.changing_nodes
  - celeryops.cluster.celery
options:
  task:
    description: The name of the task. A node that doesn't know it is an error.
    type: str
    required: true
  rate_limit:
    description:
      - How many of these tasks each node starts at most, as a number per second, or per second,
        minute or hour like V(10/s), V(10/m) and V(10/h).
      - V(none) or V(0) takes the limit off.
    type: str
  soft_time_limit:
    description:
      - Seconds after which the task gets an exception that it can handle. V(none) or V(0) takes the
        limit off.
      - It must not be above O(time_limit), and only pools of kind C(prefork) keep it.
    type: str
  time_limit:
    description:
      - Seconds after which the task's process is ended. V(none) or V(0) takes the limit off.
      - Only pools of kind C(prefork) and C(gevent) keep it; nodes of other kinds are refused.
    type: str
  persist:
    version_added: 0.3.0
    description:
      - Whether the limits shall outlast the next start of the workers.
      - They are kept in C(/etc/celeryops/<app>/pools/<pool>.env) until the limits change that the
        task has by itself, in the code of the app or by C(task_annotations) in C(celery_settings).
        If they are those, nothing is kept.
      - Limits that aren't named are kept as they were kept before, not as the nodes have them.
      - It needs O(app), all nodes of the pool on the host, a run on that host, and workers with the
        runtime package of this collection.
    type: bool
    default: true
notes:
  - Tasks that a node holds already keep the time limits that they had when it got them.
seealso:
  - module: celeryops.cluster.celery_task
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: Send at most 30 mails a minute from each node of the host
  celeryops.cluster.celery_task_limits:
    app: shop
    task: shop.send_mail
    rate_limit: 30/m

- name: Give reports more time, on all nodes of a pool, until the workers start anew
  celeryops.cluster.celery_task_limits:
    app: shop
    nodes: all
    pool: cpu
    task: shop.report
    soft_time_limit: 540
    time_limit: 600
    persist: false
  run_once: true

- name: Take the rate limit off
  celeryops.cluster.celery_task_limits:
    app: shop
    task: shop.send_mail
    rate_limit: none
"""

RETURN = r"""
nodes:
  description: The nodes that answered, by name.
  returned: when the nodes could be read
  type: dict
  contains:
    before:
      description: The limits before; V(null) for none.
      type: dict
      returned: always
    after:
      description: The limits afterwards; in check mode, as they would be.
      type: dict
      returned: always
  sample:
    cpu1@worker1:
      before: {rate_limit: null, soft_time_limit: null, time_limit: 600.0}
      after: {rate_limit: 30/m, soft_time_limit: null, time_limit: 600.0}
persisted:
  description: The values of the file that outlasts a start, by pool; empty where there is no file.
  returned: when O(persist=true) and the nodes have their limits
  type: dict
  sample:
    cpu:
      before: {}
      after:
        CELERYOPS_TASK_LIMITS: >-
          {"shop.send_mail": {
          "declared": {"rate_limit": null, "soft_time_limit": null, "time_limit": 600},
          "live": {"rate_limit": "30/m", "soft_time_limit": null, "time_limit": 600.0}}}
missing:
  description:
    - The nodes that were silent. The others get their limits, then the module fails. A busy worker
      of kind C(solo) is silent too.
  returned: when the nodes could be read
  type: list
  elements: str
  sample: []
errors:
  description: Why a node doesn't have the limits, by name. The module fails then.
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
  sample: 0.2
"""

from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._arguments import Session, run
from ansible_collections.celeryops.cluster.plugins.module_utils._limits import ATTRIBUTES, wish_of
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import selected
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import (
    opened_files,
    refuse_unkept,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._task_limits import set_limits

OPTIONS: dict[str, dict[str, Any]] = {
    "task": {"type": "str", "required": True},
    **{name: {"type": "str"} for name in ATTRIBUTES},
    "persist": {"type": "bool", "default": True},
}


def task_limits(session: Session) -> dict[str, Any]:
    params, cluster = session.params, session.cluster
    wish = wish_of(params["task"], *(params[name] for name in ATTRIBUTES))
    if params["persist"]:
        refuse_unkept(cluster)
    with session.client() as client:
        nodes = selected(client, cluster, session.selection(anywhere=False))
        files = opened_files(cluster, nodes, "task limits") if params["persist"] else ()
        return set_limits(client, nodes, wish, files, session.check_mode)


def main() -> None:
    run(OPTIONS, task_limits, required_one_of=[ATTRIBUTES])


if __name__ == "__main__":
    main()
