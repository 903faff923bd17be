"""What workers, beat and Flower load in place of the user's app.

`celery -A celeryops_runtime.app:app …` imports the app that CELERYOPS_APP names, lays the settings
of CELERYOPS_SETTINGS over its own, and lets its workers tell systemd and operators how they are.
The app's code stays as it is.
"""

from __future__ import annotations

__version__ = "0.2.0"


class SetupError(Exception):
    """A mistake in the app or in its configuration, told to the user in one sentence."""
