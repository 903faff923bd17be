# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: elements of the report's page.

Text and attributes are escaped when the page is written, since they are never put together as text.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring


def add(parent: Element, tag: str, text: str = "", **attributes: str | float) -> Element:
    """Add an element; `class_` stands for `class`, and other underscores for dashes."""
    given = {
        name.rstrip("_").replace("_", "-"): value if isinstance(value, str) else f"{value:.6g}"
        for name, value in attributes.items()
    }
    element = SubElement(parent, tag, given)
    element.text = text or None
    return element


def written(root: Element) -> str:
    """A whole page as HTML."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"
