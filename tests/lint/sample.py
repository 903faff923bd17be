"""A small collection that keeps every rule; the tests break it in one place at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

MakeRepository = Callable[[dict[str, str]], Path]

GOOD: dict[str, str] = {
    "README.md": "Kept in /home/you/collections, sold at https://example.org/pypi.\n",
    "requirements.txt": "ansible-core==2.19.14\n",
    "meta/runtime.yml": """\
---
action_groups:
  celery:
    - celery_pool
""",
    "plugins/modules/celery_pool.py": '"""A module."""\n',
    "playbooks/site.yml": """\
---
- name: (1/2) Check every host
  hosts: celery_worker
  tasks:
    - name: Health is read
      ansible.builtin.include_role:
        name: celeryops.cluster.worker
        tasks_from: health
      vars:
        _celery_worker_grace: 30

- name: (2/2) Bring up the workers
  hosts: celery_worker
  roles:
    - celeryops.cluster.worker
    - role: celeryops.cluster.beat
""",
    "templates/systemd/service.j2": """\
[Service]
User={{ _common_user }}
EnvironmentFile={{ item.environment_file }}
{% include "_sandbox.j2" %}
""",
    "templates/systemd/_sandbox.j2": "NoNewPrivileges=true\n",
    "templates/more/broker.j2": "Environment=URL={{ _celery_worker_url }}\n",
    "roles/_common/meta/main.yml": "---\ndependencies: []\n",
    "roles/_common/meta/argument_specs.yml": """\
---
argument_specs:
  main:
    short_description: Refuses to run by itself
    options: {}
  service:
    short_description: Installs services
    options:
      _common_user:
        description: Who runs them.
        type: str
        required: true
      _common_services:
        description: The services.
        type: list
        elements: dict
        required: true
        options:
          unit:
            description: Name of the unit.
            type: str
            required: true
""",
    "roles/_common/vars/main.yml": """\
---
_common_templates_dir: "{{ role_path }}/../../templates"
""",
    "roles/_common/tasks/main.yml": """\
---
- name: This role is called by its verbs
  ansible.builtin.fail:
    msg: Apply another role.
""",
    "roles/_common/tasks/service.yml": """\
---
- name: The unit files are written
  ansible.builtin.template:
    src: "{{ _common_templates_dir }}/systemd/service.j2"
    dest: "/etc/systemd/system/{{ item.unit }}"
    mode: "0644"
  loop: "{{ _common_services }}"
""",
    "roles/beat/defaults/main.yml": "---\ncelery_user: celery\n",
    "roles/beat/meta/main.yml": "---\ndependencies: []\n",
    "roles/beat/meta/argument_specs.yml": """\
---
argument_specs:
  main:
    short_description: Runs the scheduler
    options:
      celery_user:
        description: Who runs the services.
        type: str
        default: celery
""",
    "roles/beat/tasks/main.yml": """\
---
- name: The service is installed
  ansible.builtin.include_role:
    name: celeryops.cluster._common
    tasks_from: service
  vars:
    _common_user: "{{ celery_user }}"
    _common_services: [{unit: beat.service}]
""",
    "roles/worker/defaults/main.yml": """\
---
celery_user: celery
celery_worker_password: null
celery_worker_size: "{{ ansible_facts['processor_vcpus'] }}"
celery_worker_tls_key: /etc/ssl/worker.key
celery_worker_env_template: worker.env.j2
celery_worker_pools:
  - name: default
    queues: [celery]
_celery_worker_grace: 60
""",
    "roles/worker/vars/main.yml": """\
---
_celery_worker_url: "redis://:{{ celery_worker_password }}@{{ inventory_hostname }}"
_celery_worker_digest: "{{ _celery_worker_url | hash('sha256') }}"
""",
    "roles/worker/meta/main.yml": "---\ndependencies:\n  - role: celeryops.cluster.beat\n",
    "roles/worker/meta/argument_specs.yml": """\
---
argument_specs:
  main:
    short_description: Runs workers
    options:
      celery_worker_app:
        description: Name of the application.
        type: str
        required: true
      celery_user:
        description: Who runs the services.
        type: str
        default: celery
      celery_worker_password:
        description: The broker's password.
        type: str
      celery_worker_size:
        description: Number of processes; that of the processors by default.
        type: int
      celery_worker_tls_key:
        description: File on the host that holds the key.
        type: path
        default: /etc/ssl/worker.key
      celery_worker_env_template:
        description: Template of the environment file.
        type: str
        default: worker.env.j2
      celery_worker_pools:
        description: The pools.
        type: list
        elements: dict
        default:
          - name: default
            queues: [celery]
        options:
          name:
            description: Name of the pool.
            type: str
            required: true
          queues:
            description: What it consumes.
            type: list
            elements: str
          kind:
            description: How it runs tasks.
            type: str
            choices: [prefork, threads]
  health:
    short_description: Reads the health
    options:
      celery_worker_app:
        description: Name of the application.
        type: str
        required: true
      _celery_worker_grace:
        description: Seconds until silence is a fault.
        type: int
        default: 60
""",
    "roles/worker/tasks/main.yml": """\
---
- name: The environment is written
  ansible.builtin.template:
    src: "{{ celery_worker_env_template }}"
    dest: /etc/celeryops/worker.env
    mode: "0640"
  diff: false
  when: celery_worker_password is not none

- name: The digest is written
  ansible.builtin.copy:
    content: "{{ _celery_worker_digest }} {{ celery_worker_tls_key }}"
    dest: /etc/celeryops/digest
    mode: "0640"

- name: The pools are written
  ansible.builtin.copy:
    content: "{{ item | to_json }}"
    dest: "/etc/celeryops/pools/{{ item.name }}"
    mode: "0640"
  loop: "{{ celery_worker_pools }}"
  register: __celery_worker_pools

- name: The broker answers
  block:
    - name: The broker is asked
      ansible.builtin.uri:
        url: "{{ _celery_worker_url }}"
  no_log: true
""",
    "roles/worker/tasks/health.yml": """\
---
- name: The worker answers
  celeryops.cluster.celery_health:
    app: "{{ celery_worker_app }}"
    timeout: "{{ _celery_worker_grace }}"
  register: __celery_worker_health
  failed_when: not __celery_worker_health.healthy
""",
    "roles/worker/templates/worker.env.j2": """\
{% set _user = celery_user %}
CELERYOPS_USER={{ _user }}
CELERY_WORKER_CONCURRENCY={{ celery_worker_size }}
{% include "broker.env.j2" %}
""",
    "docs/control.md": "| a | b | Test |\n| a | b | roles/worker/tasks/main.yml |\n",
    "roles/worker/templates/broker.env.j2": "CELERY_BROKER_URL={{ _celery_worker_url }}\n",
}
