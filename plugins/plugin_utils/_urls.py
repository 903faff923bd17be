# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: broker and backend URLs from their parts."""

from __future__ import annotations

from urllib.parse import quote


def build_url(
    host: str,
    port: int,
    scheme: str = "redis",
    username: str = "",
    password: str = "",
    path: str | int = "",
) -> str:
    """The URL of a broker or backend, each part quoted: a password may hold any character."""
    credentials = ""
    if username or password:
        credentials = f"{quote(username, safe='')}:{quote(password, safe='')}@"
    literal_host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{credentials}{literal_host}:{port}/{quote(str(path), safe='')}"
