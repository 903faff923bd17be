# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: how pip is called, and what it says of a user's mistakes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# What pip says, and the end of a sentence about the host on which it says so. The first one counts.
_MISTAKES = {
    r"No space left on device": (
        "has no room left for the release: free some space and run again; "
        "what runs goes on as it is."
    ),
    r"ERROR: (?P<package>\S+) is not a supported wheel on this platform": (
        "can't use {package}, which was built for another Python or machine: "
        "bring a wheel for it, or name its Python in celery_app_python."
    ),
    r"Package '?(?P<package>[^'\s]+)'? requires a different Python: (?P<python>[^\n]+)": (
        "can't use {package}, which requires another Python ({python}): "
        "name one in celery_app_python."
    ),
    r"THESE PACKAGES DO NOT MATCH THE HASHES[^\n]*\s+(?P<package>\S+)": (
        "got another file for {package} than celery_app_requirements allows: "
        "find out why it has changed before you change its hash."
    ),
    r"--require-hashes mode[^\n]*\n\s*(?P<package>\S+)": (
        "needs {package} pinned and with its hash, since others in celery_app_requirements "
        "have one: let your tool write the whole file, dependencies included."
    ),
    r"Some build dependencies for \S+/(?P<project>[^/\s]+) are missing: (?P<packages>[^\n]+)\.": (
        "can't build {project} without {packages}: "
        "pin it in celery_app_requirements, which alone says what comes from the index."
    ),
    r"Some build dependencies for \S+/(?P<project>[^/\s]+) conflict[^:]*: (?P<reason>[^\n]+)\.": (
        "can't build {project} as celery_app_requirements has it, since {reason}: "
        "pin another version there."
    ),
    r"(?s)Looking in links: \S+/releases/\S+/wheels\b.*No matching distribution found for "
    r"(?P<package>\S+)": (
        "finds no {package} in celery_app_wheelhouse that fits its Python and machine: "
        "run the playbook celeryops.cluster.wheelhouse, or put the wheel there."
    ),
    r"No matching distribution found for (?P<package>\S+)": (
        "finds no {package} that fits it: correct the name or the version, the index in "
        "celery_pip_index_url, or celery_app_requirements where that lacks it."
    ),
    r'Failed to find required executable "(?P<program>python[^"]*)"': (
        "has no {program}: install it, or name another Python in celery_app_python."
    ),
    r"CERTIFICATE_VERIFY_FAILED": (
        "doesn't trust the certificate of its package index: "
        "name a file with the CA's certificate in celery_pip_cert."
    ),
}

_AS_PINNED = "--no-deps --no-build-isolation --check-build-dependencies"


def pip_steps(source: str, packages: Sequence[str], requirements: str = "") -> list[dict[str, Any]]:
    """The calls of pip that install a release, each as options of Ansible's module.

    A file of `requirements` decides alone what comes from the index: `source` brings nothing
    along then, what builds it and the further `packages` must be among them. Without, pip resolves
    all at once.
    """
    if not requirements:
        return [{"name": [source, *packages]}]
    own = f"{_AS_PINNED} --no-index" if source.startswith("/") else "--no-index"
    steps: list[dict[str, Any]] = [
        {"requirements": requirements},
        {"name": [source], "extra_args": own},
    ]
    return [*steps, {"name": list(packages), "extra_args": "--no-index"}] if packages else steps


def wheel_steps(
    source: str,
    packages: Sequence[str],
    builders: Sequence[str] = (),
    requirements: str = "",
    others: Sequence[str] = (),
) -> list[list[str]]:
    """The arguments of the calls of `pip wheel` that give all wheels of a release.

    What builds the source and what `others` need is resolved apart from the release itself.
    """
    if requirements:
        return [["--requirement", requirements], *([other] for other in others)]
    return [[source, *packages], *([apart] for apart in (*builders, *others))]


def pip_problem(message: str, host: str) -> str:
    """A sentence on the mistake of which pip's `message` tells; nothing where none is known."""
    for pattern, sentence in _MISTAKES.items():
        found = re.search(pattern, message)
        if found:
            return f"{host} {sentence.format(**found.groupdict())}"
    return ""
