# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what a release is made of and what it is called.

A release's name ends in a digest of all that is installed into it, so that other requirements or
other sources are another release, and one that runs is never changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# Types are checked for the oldest Python of a host; a controller's is newer.
import tomllib  # type: ignore[import-not-found]

_LEFT_OUT = {".git", "__pycache__", ".venv", "build", "dist", ".pytest_cache", ".mypy_cache"}
_GIT = re.compile(r"git\+(?=(?:https?|ssh|file)://)|(?=git@)")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_NO_ENTRY = re.compile(
    r"Permission denied \([^)]*\)|Host key verification failed|Could not resolve hostname [^:\s]+"
)
_ARCHIVE = re.compile(r"\.(whl|tar\.gz|zip)\Z")


def digest_of(path: str | Path) -> str:
    """The SHA-256 of a file, or of a directory's files and names without caches and builds."""
    root = Path(path)
    total = hashlib.sha256()
    for file in [root] if root.is_file() else _files(root):
        total.update(f"{file.relative_to(root)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _files(root: Path) -> list[Path]:
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file() and not any(_is_left_out(part) for part in path.relative_to(root).parts)
    )


def _is_left_out(part: str) -> bool:
    return part in _LEFT_OUT or part.endswith(".egg-info")


def describe_release(
    source: str,
    version: str = "",
    extras: Sequence[str] = (),
    packages: Sequence[str] = (),
    salt: Sequence[str] = (),
    requirements: str = "",
) -> dict[str, Any]:
    """What to install for `source`, and the release's name.

    `source` is a pip requirement (`shop`, `shop==1.4.0`), or the path of a wheel, an sdist or a
    project directory on the controller. `salt` holds what else changes the release: the runtime's
    digest, the Python. `requirements` is the path of a file of them. Returns release, kind
    (requirement, file or directory), path (of a file or directory), requirement (for those two,
    what follows the path that the source gets on the host) and builders (what builds a directory).
    Raises ValueError for what can't be used.
    """
    extra = f"[{','.join(extras)}]" if extras else ""
    kind = _kind(source)
    path, content = "", ""
    if kind in ("file", "directory"):
        path = str(Path(source).expanduser().resolve())
        content = digest_of(path)
        requirement, label = extra, version or _version_of(Path(path))
    else:
        requirement, label = _pinned(source, version, extra)
    parts = [kind, requirement, content, extra, version, *packages, *salt]
    if requirements:
        parts.append(digest_of(_existing(requirements)))
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
    return {
        "release": f"{re.sub(r'[^A-Za-z0-9.]+', '_', label)}-{digest}",
        "kind": kind,
        "path": path,
        "requirement": requirement,
        "builders": build_requirements(Path(path)) if kind == "directory" else [],
    }


def build_requirements(project: Path) -> list[str]:
    """What pip needs to build a project directory."""
    file = project / "pyproject.toml"
    try:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        found = tomllib.loads(text).get("build-system", {}).get("requires", ["setuptools"])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            f"celery_app_source: '{file}' can't be read ({error}): correct it."
        ) from None
    return [str(requirement) for requirement in found]


def _kind(source: str) -> str:
    path = Path(source).expanduser()
    if path.is_dir():
        return "directory"
    if path.is_file() and _ARCHIVE.search(source):
        return "file"
    if "/" in source or _ARCHIVE.search(source):
        raise ValueError(
            f"celery_app_source: '{source}' is no wheel, sdist or project directory on the "
            "controller: correct the path."
        )
    return "requirement"


def _existing(requirements: str) -> Path:
    path = Path(requirements).expanduser()
    if not path.is_file():
        raise ValueError(
            f"celery_app_requirements: '{requirements}' is no file on the controller: "
            "correct the path."
        )
    return path


def _pinned(source: str, version: str, extra: str) -> tuple[str, str]:
    found = re.fullmatch(
        r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*(?:==\s*([\w.!+]+))?", source
    )
    if not found:
        raise ValueError(
            f"celery_app_source: '{source}' is no pip requirement: write 'name' or 'name==version'."
        )
    name, own_extra, own_version = found.groups()
    wanted = version or own_version
    if not wanted:
        raise ValueError(
            f"celery_app_version is not set and celery_app_source '{source}' names no version: "
            "set one, so that every host gets the same."
        )
    return f"{name}{extra or own_extra or ''}=={wanted}", wanted


def _version_of(path: Path) -> str:
    if path.is_dir():
        project = path / "pyproject.toml"
        text = project.read_text(encoding="utf-8") if project.is_file() else ""
        found = re.search(r'^version\s*=\s*"([^"]+)"', text, re.MULTILINE)
        return found.group(1) if found else "local"
    found = re.match(r"[^-]+-(\d[\w.!+]*?)(?:-|\.tar\.gz|\.zip)", path.name)
    return found.group(1) if found else "local"


def git_repository(source: str) -> str:
    """The URL of the repository where `source` is one (`git+https://…`, `git@…`), else nothing."""
    found = _GIT.match(source)
    return source[found.end() :] if found else ""


def git_problem(message: str, source: str, version: str) -> str:
    """What kept git from fetching `version` of `source`, in a sentence without credentials."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    no_entry = _NO_ENTRY.findall(message)
    reason = (no_entry or fatal or lines or ["git gave no reason"])[-1].rstrip(".")
    return _CREDENTIALS.sub(
        "",
        f"celery_app_source: '{source}' can't be fetched at celery_app_version "
        f"'{version or 'HEAD'}' ({reason}): correct the URL, the ref, celery_app_git_key or "
        "celery_app_git_known_hosts.",
    )


def old_releases(
    found: Iterable[Mapping[str, Any]],
    marks: Iterable[Mapping[str, Any]],
    used: Iterable[str],
    keep: int,
) -> list[str]:
    """The paths of the releases `found` that nothing uses, without the `keep` latest complete ones.

    What a run left incomplete is no way back, so it neither stays nor counts. A release is as late
    as its latest mark: `release.json` is made when it is complete, `ran` each time that it has
    proved itself.
    """
    complete: set[str] = set()
    latest: dict[str, float] = {}
    for mark in marks:
        path = Path(mark["path"])
        release = str(path.parent)
        latest[release] = max(float(mark["mtime"]), latest.get(release, 0.0))
        if path.name == "release.json":
            complete.add(release)
    unused = sorted({release["path"] for release in found} - set(used))
    kept = sorted(complete.intersection(unused), key=lambda path: -latest[path])[:keep]
    return [path for path in unused if path not in kept]
