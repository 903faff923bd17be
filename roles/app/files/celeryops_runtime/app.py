"""The app for `celery -A celeryops_runtime.app:app`: the user's own, set up by the environment."""

from __future__ import annotations

import os

from celery import signals
from celery.worker.control import inspect_command

from celeryops_runtime import SetupError
from celeryops_runtime._alerts import Sender, read_alerts
from celeryops_runtime._control import celeryops
from celeryops_runtime._failures import report_failures
from celeryops_runtime._heartbeat import send_heartbeats_once
from celeryops_runtime._loading import load
from celeryops_runtime._logging import use_format
from celeryops_runtime._step import SystemdStep, beat_started

# Seconds that a stopping worker gives its last alerts.
LAST_ALERTS = 10

try:
    app = load(os.environ)
    alerts = read_alerts(os.environ)
    use_format(os.environ)
except SetupError as error:
    raise SystemExit(f"celeryops_runtime: {error}") from None

send_heartbeats_once()
app.steps["consumer"].add(SystemdStep)
signals.beat_init.connect(beat_started)
inspect_command()(celeryops)

if alerts is not None:
    sender = Sender(alerts)
    report_failures(alerts.app, alerts.tasks, sender.send)
    signals.worker_shutdown.connect(lambda **_: sender.close(LAST_ALERTS), weak=False)
