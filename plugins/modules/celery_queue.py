#!/usr/bin/python
# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: celery_queue
version_added: 0.2.0
short_description: Make, delete, purge a queue, or move its messages
description:
  - Brings a queue of Redis or RabbitMQ to a state, without losing a message that it wasn't told to
    delete.
  - On RabbitMQ a queue is declared as the workers of the app would declare it, so that they can
    consume from it. What O(type), O(max_priority), O(exchange_type) and the names leave open is
    taken from the settings of a worker that answers.
  - On Redis there is no queue to declare. A queue is there when an exchange leads to it, and that
    binding is what this module makes and deletes. An empty queue takes no room.
extends_documentation_fragment:
  - celeryops.cluster.attributes
  - celeryops.cluster.attributes.changing
  - celeryops.cluster.celery
attributes:
  check_mode:
    details:
      - Nothing is declared, deleted or moved. A queue that is there already is compared on RabbitMQ
        by declaring it again as it is asked for, which never changes a queue.
options:
  name:
    description: The queue.
    type: str
    required: true
  state:
    description:
      - V(present) makes the queue and its binding where they are lacking. A queue that is there in
        another form can't be changed by anybody, and the module says how it differs.
      - V(absent) deletes the queue if it is empty, no node consumes from it, and no worker holds a
        message of it.
      - V(purged) deletes the messages that wait in the queue. Those that workers hold stay.
      - V(moved) moves the messages that wait in the queue to the end of the queue O(to), oldest
        first.
    type: str
    choices: [present, absent, purged, moved]
    default: present
  type:
    description:
      - The type of the queue, on RabbitMQ only.
      - By default the one of the workers' settings, that is C(task_default_queue_type) for the
        default queue and C(task_create_missing_queue_type) for any other.
    type: str
    choices: [classic, quorum]
  arguments:
    description:
      - Further arguments of the queue, like C(x-delivery-limit), on RabbitMQ only.
      - RabbitMQ ignores an argument that it doesn't know. What looks like a slip is refused here.
    type: dict
    default: {}
  max_priority:
    description:
      - The number of priorities of a classic queue, from 1 to 255, on RabbitMQ only.
      - By default C(task_queue_max_priority) of the workers' settings.
    type: int
  durable:
    description: Whether the queue outlasts a restart of RabbitMQ.
    type: bool
    default: true
  exchange:
    description:
      - The exchange that leads to the queue. It is made where it is lacking.
      - By default the name of the queue, as for workers.
    type: str
  exchange_type:
    description:
      - The type of the exchange. Tasks with an ETA wait in RabbitMQ, and not in a worker, only with
        V(topic).
      - By default the one of the workers' settings.
    type: str
    choices: [direct, topic]
  routing_key:
    description:
      - The routing key of the binding.
      - By default the name of the queue, as for workers.
    type: str
  to:
    description:
      - The queue that gets the messages, with O(state=moved). It must be there.
    type: str
  limit:
    description:
      - Move at most so many messages, with O(state=moved).
      - By default all that wait when the module begins.
    type: int
  confirm:
    description:
      - Must be V(true) for O(state=purged), except in check mode, which tells how many messages
        there are.
    type: bool
    default: false
  force:
    description:
      - Whether O(state=absent) deletes the queue though it is in use or holds messages, which are
        lost then.
      - Workers that consume from it make it again on RabbitMQ when they connect anew.
    type: bool
    default: false
  nodes:
    description: Has no effect here, since a queue belongs to no node.
    type: list
    elements: str
  pool:
    description: Has no effect here.
    type: str
notes:
  - Moving is safe against any interruption. On Redis each message is moved in one step. On RabbitMQ
    it leaves its queue when the other one has confirmed it, so that at worst the last 50 messages
    are in both, and none is lost. A queue that is limited by C(x-max-length) may drop messages by
    itself.
  - A moved message keeps its headers, properties and priority. It is addressed to its new queue, so
    that a retry, or a worker that gives it back, doesn't bring it to the old one. The other
    messages of a workflow go where they did before.
  - Workers that consume meanwhile take messages away from the module. For an exact result, pause
    them by M(celeryops.cluster.celery_worker).
  - From a classic to a quorum queue of the same name takes two moves, with a queue in between. With
    a new name it takes one.
  - Without the management API (C(celery_app_management_url)), it isn't known on RabbitMQ whether a
    binding is there. It is then made again, which isn't counted as a change. Whether workers hold
    messages is known from their answers alone.
  - RabbitMQ deletes a classic queue only if it is still unused and empty. For a quorum queue it
    knows no such condition, so that this was checked just before.
seealso:
  - module: celeryops.cluster.celery_consumer
  - module: celeryops.cluster.celery_queue_info
  - module: celeryops.cluster.celery_worker
author:
  - The celeryops.cluster authors (@celeryops)
"""

EXAMPLES = r"""
- name: There is a queue for reports, as the workers would declare it
  celeryops.cluster.celery_queue:
    app: shop
    name: reports
  run_once: true

- name: There is a quorum queue that gives up a message after five attempts
  celeryops.cluster.celery_queue:
    app: shop
    name: orders
    type: quorum
    exchange_type: topic
    arguments:
      x-delivery-limit: 5
  run_once: true

- name: Move what waits in the old queue to the new one
  celeryops.cluster.celery_queue:
    app: shop
    name: celery
    state: moved
    to: orders
    timeout: 300
  run_once: true

- name: Delete the old queue, if it is empty and nobody uses it
  celeryops.cluster.celery_queue:
    app: shop
    name: celery
    state: absent
  run_once: true

- name: Throw away the mails that wait
  celeryops.cluster.celery_queue:
    app: shop
    name: mail
    state: purged
    confirm: true
  run_once: true
"""

RETURN = r"""
queues:
  description: The queue, and with O(state=moved) both of them, by name.
  returned: when the queue could be read
  type: dict
  contains:
    before:
      description:
        - The definition or the numbers of messages before; null where there was no queue.
        - For a queue that is there, V(bound) says whether its binding was.
      type: dict
      returned: always
    after:
      description: The same afterwards; in check mode, as it would be.
      type: dict
      returned: always
  sample:
    celery:
      before:
        ready: 120
      after:
        ready: 0
    orders:
      before:
        ready: 0
      after:
        ready: 120
count:
  description:
    - The messages that were purged or moved; in check mode, those that would be.
    - It is null for the other states.
  returned: when the queue could be read
  type: int
  sample: 120
nodes:
  description: The nodes that were asked whether they use the queue, by name.
  returned: when the queue could be read
  type: dict
  contains:
    consumes:
      description: Whether the node consumes from the queue.
      type: bool
      returned: always
    holds:
      description: The unacknowledged tasks of the queue that the node runs or keeps.
      type: int
      returned: always
  sample: {}
missing:
  description: The nodes that were asked and silent.
  returned: when the queue could be read
  type: list
  elements: str
  sample: []
errors:
  description: Nothing; a failure is told in RV(ignore:msg).
  returned: when the queue could be read
  type: dict
  sample: {}
duplicates:
  description: The names under which more than one worker answered.
  returned: when the queue could be read
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
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_change import (
    Outcome,
    Wanted,
    absent,
    moved,
    present,
    purged,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import queues_by

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {
        "type": "str",
        "choices": ["present", "absent", "purged", "moved"],
        "default": "present",
    },
    "type": {"type": "str", "choices": ["classic", "quorum"]},
    "arguments": {"type": "dict", "default": {}},
    "max_priority": {"type": "int"},
    "durable": {"type": "bool", "default": True},
    "exchange": {"type": "str"},
    "exchange_type": {"type": "str", "choices": ["direct", "topic"]},
    "routing_key": {"type": "str", "no_log": False},
    "to": {"type": "str"},
    "limit": {"type": "int"},
    "confirm": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
}


def queue(session: Session) -> dict[str, Any]:
    params = session.params
    if params["state"] == "moved" and not params["to"]:
        raise CeleryOpsError("`state: moved` needs `to`, the queue that gets the messages.")
    if params["limit"] is not None and params["limit"] < 1:
        raise CeleryOpsError(f"`limit` must be at least 1, not {params['limit']}.")
    return _outcome(session).result()


def _outcome(session: Session) -> Outcome:
    params, cluster, check = session.params, session.cluster, session.check_mode
    name = params["name"]
    with session.client() as client:
        steps = queues_by(client, cluster.broker)
        match params["state"]:
            case "absent":
                return absent(client, cluster, steps, name, params["force"], check)
            case "purged":
                return purged(steps, name, params["confirm"], check)
            case "moved":
                return moved(client, steps, name, params["to"], params["limit"], check)
            case _:
                wanted = Wanted(**{option: params[option] for option in Wanted.__annotations__})
                return present(client, cluster, steps, wanted, check)


def main() -> None:
    run(OPTIONS, queue)


if __name__ == "__main__":
    main()
