"""The application of the workers that the client is tested with: its settings are in a file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from celery import Celery

app = Celery("transports")
app.conf.update(json.loads(Path(os.environ["TRANSPORTS_SETTINGS"]).read_text(encoding="utf-8")))
if app.conf.task_serializer == "auth":
    app.setup_security()
