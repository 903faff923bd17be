# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: the report of a rolling change as one page that needs nothing else."""

from __future__ import annotations

from datetime import datetime
from xml.etree.ElementTree import Element

from ansible_collections.celeryops.cluster.plugins.plugin_utils._report import (
    HostChange,
    Outcome,
    Report,
    duration,
)
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_chart import (
    add_sign,
    colours,
    draw,
)
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_elements import add, written
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_lines import gate, way
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_style import STYLE

_HEADINGS = ("Batch", "Host", "Change", "Drained", "Started", "Gate", "Outcome")
_STATES = {
    "paused": "takes no tasks: it drains, or proves itself",
    "silent": "doesn't answer: it stops or starts",
    "unseen": "nothing is known: the broker was silent",
}


def report_page(report: Report) -> str:
    """The report as HTML."""
    root = Element("html", lang="en")
    head = add(root, "head")
    add(head, "meta", charset="utf-8")
    add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    add(head, "title", report.title)
    add(head, "style", STYLE)
    body = add(root, "body")
    _add_head(body, report)
    _add_figures(body, report)
    _add_timeline(body, report)
    _add_hosts(body, report)
    _add_running(body, report)
    return written(root)


def _add_head(body: Element, report: Report) -> None:
    add(body, "h1", report.title)
    when = add(body, "p", class_="when")
    add(when, "span", report.verdict, class_=f"verdict {'bad' if report.failed else 'good'}")
    began = datetime.fromtimestamp(report.began).astimezone()
    add(when, "span", f" · {began.strftime('%Y-%m-%d %H:%M:%S %Z')}")


def _add_figures(body: Element, report: Report) -> None:
    steady, low, most = report.steady(), report.lowest(), report.highest_backlog()
    share = f" {100 * low / steady:.0f} % of steady" if steady and low is not None else ""
    figures = add(body, "dl", class_="figures")
    for name, value, more in (
        ("Duration", duration(report.now - report.began), ""),
        ("Steady throughput", _rate(steady), ""),
        ("Lowest throughput", _rate(low), share),
        ("Highest backlog", "unknown" if most is None else f"{most:.0f}", " tasks"),
    ):
        figure = add(figures, "div")
        add(figure, "dt", name)
        add(add(figure, "dd", value), "small", more)


def _rate(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f}/s"


def _add_timeline(body: Element, report: Report) -> None:
    add(body, "h2", "Timeline")
    if reason := report.nothing_seen():
        add(body, "p", reason, class_="note")
        return
    legend = add(body, "ul", class_="legend")
    for release, colour in colours(report).items():
        _add_entry(legend, colour, release)
    for state, meaning in _STATES.items():
        _add_entry(legend, state, meaning)
    for good, meaning in ((True, "gate passed"), (False, "failed")):
        entry = add(legend, "li")
        kind = f"gate {'good' if good else 'bad'}"
        swatch = add(entry, "svg", viewBox="0 0 14 14", aria_hidden="true", class_=kind)
        add_sign(swatch, 7.0, 7.0, 7.0, good)
        add(entry, "span", meaning)
    draw(add(body, "div", class_="scroll"), report)


def _add_entry(legend: Element, kind: str, meaning: str) -> None:
    entry = add(legend, "li")
    swatch = add(entry, "svg", viewBox="0 0 14 14", aria_hidden="true")
    add(swatch, "rect", width=14.0, height=14.0, rx=3.0, class_=kind)
    add(entry, "span", meaning)


def _add_hosts(body: Element, report: Report) -> None:
    add(body, "h2", "Hosts")
    table = add(add(body, "div", class_="scroll"), "table")
    head = add(add(table, "thead"), "tr")
    for heading in _HEADINGS:
        add(head, "th", heading, **_numeric(heading))
    rows = add(table, "tbody")
    for host in report.hosts:
        _add_host(rows, report, host)


def _add_host(rows: Element, report: Report, host: HostChange) -> None:
    row = add(rows, "tr")
    changes = host.outcome is not Outcome.SAME
    cells = (
        str(host.batch),
        host.host,
        way(report, host).replace("->", "→") if changes else "",
        _seconds(host, "drain", "change"),
        _seconds(host, "change", "gate"),
        gate(host) if changes else "",
        host.outcome.value,
    )
    good = {True: " bad", False: " good" if host.outcome is Outcome.DONE else ""}[host.failed]
    for heading, text in zip(_HEADINGS, cells, strict=True):
        if heading == "Outcome":
            add(row, "td", text, class_=good.strip())
        else:
            add(row, "td", text, **_numeric(heading))
    if host.failed and host.cause:
        add(add(rows, "tr"), "td", host.cause, class_="cause", colspan=str(len(_HEADINGS)))


def _numeric(heading: str) -> dict[str, str]:
    return {"class_": "number"} if heading in ("Drained", "Started") else {}


def _seconds(host: HostChange, first: str, last: str) -> str:
    seconds = host.seconds(first, last)
    return "" if seconds is None else duration(seconds)


def _add_running(body: Element, report: Report) -> None:
    by_release: dict[str, list[str]] = {}
    for node, release in sorted(report.running().items()):
        by_release.setdefault(release or "an unknown release", []).append(node)
    if not by_release:
        return
    add(body, "h2", "Who runs what in the end")
    found = add(body, "dl", class_="running")
    for release, nodes in sorted(by_release.items()):
        add(found, "dt", release)
        add(found, "dd", ", ".join(nodes))
