"""Stands in for the script that ansible-test would download: Python brings pip along."""

import ensurepip

ensurepip.bootstrap(upgrade=True, default_pip=True)
