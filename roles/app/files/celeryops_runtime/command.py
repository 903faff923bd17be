"""Becomes a command of the release, with the application's environment.

`python -m celeryops_runtime.command` reads one JSON object from standard input, since neither a
command line nor its environment may show a secret: `command` (a line, quoted as for a shell) and
`environment` (variables).
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path


def main() -> None:
    wanted = json.load(sys.stdin)
    os.environ.update(wanted["environment"])
    own = Path(sys.executable).parent
    os.environ["PATH"] = f"{own}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        words = shlex.split(wanted["command"])
        os.execvp(words[0], words)
    except (OSError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SystemExit(f"{wanted['command']!r} can't be run: {reason}") from None


if __name__ == "__main__":
    main()
