"""The app for `celery -A celeryops_runtime.app:app`: the user's own, set up by the environment."""

from __future__ import annotations

import os

from celery import signals
from celery.worker.control import control_command, inspect_command

from celeryops_runtime import SetupError
from celeryops_runtime._alerts import Sender, read_alerts
from celeryops_runtime._beat import let_beat_answer
from celeryops_runtime._canary import add_canary, add_direct_queue
from celeryops_runtime._control import celeryops, celeryops_route
from celeryops_runtime._events import name_event_groups
from celeryops_runtime._failures import report_failures
from celeryops_runtime._heartbeat import send_heartbeats_once
from celeryops_runtime._limits import apply_kept_limits, celeryops_limits, time_limit
from celeryops_runtime._loading import load
from celeryops_runtime._logging import use_format
from celeryops_runtime._stamp import stamp_tasks
from celeryops_runtime._step import SystemdStep, beat_started
from celeryops_runtime._unconfirmed import send_events_unconfirmed

# Seconds that a stopping worker gives its last alerts.
LAST_ALERTS = 10

try:
    app = load(os.environ)
    alerts = read_alerts(os.environ)
    use_format(os.environ)
except SetupError as error:
    raise SystemExit(f"celeryops_runtime: {error}") from None

send_heartbeats_once()
send_events_unconfirmed()
stamp_tasks()
app.steps["consumer"].add(SystemdStep)
signals.beat_init.connect(beat_started)
signals.beat_init.connect(let_beat_answer)
signals.worker_init.connect(apply_kept_limits)
signals.celeryd_after_setup.connect(add_direct_queue)
signals.worker_ready.connect(name_event_groups)
add_canary(app)
inspect_command()(celeryops)
inspect_command()(celeryops_route)
inspect_command()(celeryops_limits)
control_command()(time_limit)

if alerts is not None:
    sender = Sender(alerts)
    report_failures(alerts.app, alerts.tasks, sender.send)
    signals.worker_shutdown.connect(lambda **_: sender.close(LAST_ALERTS), weak=False)
