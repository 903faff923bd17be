"""`python -m celeryops_runtime.alert UNIT` reports a unit that systemd has given up.

systemd runs it by OnFailure=, and says in MONITOR_SERVICE_RESULT what became of the unit.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping

from celeryops_runtime import SetupError
from celeryops_runtime._alerts import PAUSES, alert, deliver, read_alerts


def report(unit: str, environ: Mapping[str, str], pauses: tuple[float, ...] = PAUSES) -> bool:
    """Whether every channel has taken the report. Raises SetupError."""
    settings = read_alerts(environ)
    if settings is None:
        return True
    result = environ.get("MONITOR_SERVICE_RESULT", "unknown")
    host = socket.gethostname()
    text = f"{unit} on {host} has failed ({result}) and is not started again"
    content = alert("service-failed", settings.app, text, unit=unit, host=host, result=result)
    waiting = list(settings.channels)
    for pause in (*pauses, 0):
        waiting = [each for each in waiting if not deliver(each, content, settings.timeout)]
        if not waiting:
            return True
        time.sleep(pause)
    return False


def main() -> None:
    try:
        sent = report(sys.argv[1], os.environ)
    except SetupError as error:
        raise SystemExit(f"celeryops_runtime: {error}") from None
    sys.exit(0 if sent else 1)


if __name__ == "__main__":
    main()
