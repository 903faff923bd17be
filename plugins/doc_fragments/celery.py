# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The options that all modules of the collection share."""

    DOCUMENTATION = r"""
options:
  app:
    description:
      - The name of the app, as in the inventory.
      - The cluster is found by C(/etc/celeryops/<app>/control.json) on the host that the module
        runs on. The playbook C(celeryops.cluster.site) writes it on every host.
      - Either this or O(broker_url) must be given.
    type: str
  broker_url:
    description:
      - The broker's URL, instead of O(app), for a cluster that was set up by other means.
      - Special characters of its user name and password must be percent-encoded, for example by
        the filter P(celeryops.cluster.url_quote#filter).
      - The inventory isn't known then, and only the nodes that answer are.
    type: str
  broker_options:
    description:
      - Celery's C(broker_transport_options), together with O(broker_url).
      - They are logged like any other option, so that no secret should be among them.
    type: dict
  nodes:
    description:
      - Names of nodes, or globs like V(cpu*@worker1).
      - By default the nodes that run on the host of the module, and on a host without nodes, as
        with O(broker_url), the whole cluster.
      - V(all) means all nodes of the cluster.
    type: list
    elements: str
  pool:
    description: Only nodes of this pool.
    type: str
  timeout:
    description:
      - Seconds for the whole call, with connecting to the broker.
      - A node that hasn't answered by then is returned as missing. Whether it has carried out, or
        will still carry out, what it was told isn't known.
    type: float
    default: 10.0
requirements:
  - On the host that the module runs on, with O(broker_url), C(celery) with the client library of
    the broker (C(celery[redis])). With O(app), the environment of the app is used.
notes:
  - The control file is readable for root and the group of the workers, hence C(become=true).
  - A broker that is down is reported after at most 4 seconds, with its host and port.
"""

    # Of the modules that change nodes: a whole cluster is never meant by leaving something out.
    CHANGING_NODES = r"""
options:
  nodes:
    description:
      - Names of nodes, or globs like V(cpu*@worker1).
      - By default the nodes that run on the host of the module. On a host without nodes, and with
        O(broker_url), it must be given.
      - V(all) means all nodes of the cluster, which get each command by one broadcast.
    type: list
    elements: str
"""
