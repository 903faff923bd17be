"""The app for `celery -A celeryops_runtime.app:app`: the user's own, set up by the environment."""

from __future__ import annotations

import os

from celery import signals
from celery.worker.control import inspect_command

from celeryops_runtime import SetupError
from celeryops_runtime._control import celeryops
from celeryops_runtime._heartbeat import send_heartbeats_once
from celeryops_runtime._loading import load
from celeryops_runtime._step import SystemdStep, beat_started

try:
    app = load(os.environ)
except SetupError as error:
    raise SystemExit(f"celeryops_runtime: {error}") from None

send_heartbeats_once()
app.steps["consumer"].add(SystemdStep)
signals.beat_init.connect(beat_started)
inspect_command()(celeryops)
