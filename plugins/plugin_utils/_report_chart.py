# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: the timeline of a rolling change as a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import ceil, floor, log10
from xml.etree.ElementTree import Element

from ansible_collections.celeryops.cluster.plugins.plugin_utils._report import (
    HostChange,
    Outcome,
    Report,
)
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_elements import add
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_series import (
    PAUSED,
    SILENT,
    UNSEEN,
    Point,
    bands,
    highest,
)

_WIDTH, _LEFT, _RIGHT = 1000.0, 136.0, 24.0
_HEAD, _BETWEEN, _FOOT = 42.0, 36.0, 26.0
_RATE_HEIGHT, _BACKLOG_HEIGHT = 130.0, 72.0
# Many hosts get lower rows.
_ROWS = ((12, 26.0), (24, 21.0))
_LOWEST_ROW = 17.0
_NAME_LENGTH = 17
_MOST_TICKS = 8
_STEPS = (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10)
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
# Further releases share the last colour.
_COLOURS = 4
_STATES = {PAUSED: "takes no tasks", SILENT: "doesn't answer", UNSEEN: "nothing is known"}
_MOMENTS = {
    "drain": "the drain begins",
    "change": "it stops and starts",
    "gate": "it has started, and the gate begins",
    "back": "the way back begins",
}


@dataclass(frozen=True)
class Scale:
    """Where times lie on the drawing."""

    start: float
    end: float

    def x(self, time: float) -> float:
        """The place of a time, at the margin if it lies beyond."""
        share = (time - self.start) / (self.end - self.start)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def ticks(self) -> Iterator[float]:
        """Round times."""
        span = self.end - self.start
        step = next((s for s in _TICKS if span / s <= _MOST_TICKS), _TICKS[-1])
        yield from (
            float(n * step) for n in range(ceil(self.start / step), floor(self.end / step) + 1)
        )


def colours(report: Report) -> dict[str, str]:
    """By release, the class of its colour: in the order in which hosts came to run them."""
    seen: dict[str, None] = {}
    for host in report.hosts:
        seen.update(dict.fromkeys(host.before))
    for look in report.looks:
        seen.update(dict.fromkeys(release for release in look.releases.values() if release))
    return {release: f"release{min(n, _COLOURS - 1)}" for n, release in enumerate(seen)}


def draw(parent: Element, report: Report) -> None:
    """Add the timeline: throughput, backlog, and a row for each host."""
    scale = _scale(report)
    row = next((height for most, height in _ROWS if len(report.hosts) <= most), _LOWEST_ROW)
    rate_top = _HEAD
    backlog_top = rate_top + _RATE_HEIGHT + _BETWEEN
    rows_top = backlog_top + _BACKLOG_HEIGHT + _BETWEEN
    bottom = rows_top + row * len(report.hosts)
    label = "Throughput, backlog and the release that each host runs, over time"
    size = f"0 0 {_WIDTH:.0f} {bottom + _FOOT:.0f}"
    svg = add(parent, "svg", viewBox=size, role="img", aria_label=label)
    _pattern(svg)
    _draw_batches(svg, report, scale, bottom)
    _draw_times(svg, scale, bottom)
    _draw_values(svg, report.throughput(), scale, rate_top, _RATE_HEIGHT, "rate", "Tasks/s")
    _draw_steady(svg, report, rate_top)
    _draw_values(svg, report.backlog(), scale, backlog_top, _BACKLOG_HEIGHT, "backlog", "Backlog")
    add(svg, "text", "Hosts", x=_LEFT, y=rows_top - 8, class_="heading")
    names = colours(report)
    for number, host in enumerate(report.hosts):
        _draw_host(svg, report, host, scale, rows_top + number * row, row, names)


def _scale(report: Report) -> Scale:
    times = [look.time for look in report.looks]
    times += [time for host in report.hosts for time in host.moments.values()]
    return Scale(min(times), max(*times, min(times) + 1))


def _pattern(svg: Element) -> None:
    """The hatching of what isn't known."""
    pattern = add(
        add(svg, "defs"),
        "pattern",
        id="hatch",
        width=6.0,
        height=6.0,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    add(pattern, "rect", width=6.0, height=6.0, class_="hatch-ground")
    add(pattern, "line", x1=0.0, y1=0.0, x2=0.0, y2=6.0, class_="hatch-line")


def _draw_batches(svg: Element, report: Report, scale: Scale, bottom: float) -> None:
    for number, hosts in groupby(report.hosts, key=lambda host: host.batch):
        times = [time for host in hosts for time in host.moments.values()]
        if not times:
            continue
        left, right = scale.x(min(times)), scale.x(max(times))
        add(svg, "rect", x=left, y=0.0, width=right - left, height=bottom, class_="batch")
        text = f"Batch {number}" if right - left > 52 else str(number)
        middle = (left + right) / 2
        add(svg, "text", text, x=middle, y=14.0, class_="batch-name", text_anchor="middle")


def _draw_times(svg: Element, scale: Scale, bottom: float) -> None:
    for time in scale.ticks():
        x = scale.x(time)
        add(svg, "line", x1=x, x2=x, y1=_HEAD - 18, y2=bottom, class_="grid")
        text = datetime.fromtimestamp(time).astimezone().strftime("%H:%M:%S")
        add(svg, "text", text, x=x, y=bottom + 17, class_="tick", text_anchor="middle")


def _draw_values(
    svg: Element,
    points: Sequence[Point],
    scale: Scale,
    top: float,
    height: float,
    kind: str,
    title: str,
) -> None:
    """A line over the area below it, with a gap where nothing is known."""
    most = top_value(highest(points) or 0)
    floor_y = top + height
    add(svg, "text", title, x=_LEFT, y=top - 7, class_="heading")
    for value in (0.0, most / 2, most):
        y = floor_y - value / most * height
        add(svg, "line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid")
        add(svg, "text", f"{value:g}", x=_LEFT - 8, y=y + 4, class_="tick", text_anchor="end")
    for part in _parts(points):
        line = [(scale.x(p.time), floor_y - (p.value or 0) / most * height) for p in part]
        path = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in line)
        area = f"{path} L{line[-1][0]:.1f},{floor_y:.1f} L{line[0][0]:.1f},{floor_y:.1f} Z"
        add(svg, "path", d=area, class_=f"area {kind}")
        add(svg, "path", d=path, class_=f"curve {kind}")


def _draw_steady(svg: Element, report: Report, top: float) -> None:
    steady = report.steady()
    if steady is None:
        return
    most = top_value(highest(report.throughput()) or 0)
    y = top + _RATE_HEIGHT * (1 - min(1.0, steady / most))
    add(svg, "line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="steady")
    text = f"steady {steady:.1f}"
    add(svg, "text", text, x=_WIDTH - _RIGHT, y=y - 5, class_="steady-name", text_anchor="end")


def _draw_host(
    svg: Element,
    report: Report,
    host: HostChange,
    scale: Scale,
    top: float,
    row: float,
    names: Mapping[str, str],
) -> None:
    middle = top + row / 2
    name = add(
        svg, "text", _short(host.host), x=_LEFT - 8, y=middle + 4, class_="name", text_anchor="end"
    )
    add(name, "title", host.host)
    height = row - 6
    for band in bands(report.looks, host.host):
        x = scale.x(band.start)
        thin = band.state in _STATES and band.state != PAUSED
        tall = height / 2 if thin else height
        kind = band.state if band.state in _STATES else names.get(band.state, "release3")
        rect = add(
            svg,
            "rect",
            x=x,
            y=middle - tall / 2,
            width=max(0.8, scale.x(band.end) - x),
            height=tall,
            rx=1.5,
            class_=f"band {kind}",
        )
        seconds = f"{band.end - band.start:.0f} s"
        add(rect, "title", f"{host.host}: {_STATES.get(band.state, band.state)}, {seconds}")
    _draw_moments(svg, host, scale, middle, row)


def _draw_moments(svg: Element, host: HostChange, scale: Scale, middle: float, row: float) -> None:
    for moment, meaning in _MOMENTS.items():
        if moment in host.moments:
            x = scale.x(host.moments[moment])
            reach = row / 2 - 1
            line = add(
                svg, "line", x1=x, x2=x, y1=middle - reach, y2=middle + reach, class_="moment"
            )
            add(line, "title", f"{host.host}: {meaning}")
    if host.ended is None:
        return
    good = host.outcome is Outcome.DONE
    time = host.moments["done"] if good else host.moments.get("back", host.ended)
    mark = add(svg, "g", class_="gate good" if good else "gate bad")
    add(mark, "title", f"{host.host}: {'gate passed' if good else host.outcome.value}")
    add_sign(mark, scale.x(time), middle, min(7.5, row / 2 - 2), good)


def add_sign(mark: Element, x: float, y: float, size: float, good: bool) -> None:
    """Draw the result of a gate."""
    add(mark, "circle", cx=x, cy=y, r=size)
    add(mark, "path", d=_sign(x, y, size * 0.45, good))


def _short(name: str) -> str:
    """As much of a host's name as there is room for."""
    return name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 1] + "…"


def _sign(x: float, y: float, size: float, good: bool) -> str:
    """A tick or a cross."""
    if good:
        corners = ((-1.1, 0.1), (-0.3, 0.9), (1.1, -0.8))
        return "M" + " L".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in corners)
    left, right, top, low = x - size, x + size, y - size, y + size
    return (
        f"M{left:.1f},{top:.1f} L{right:.1f},{low:.1f} M{left:.1f},{low:.1f} L{right:.1f},{top:.1f}"
    )


def top_value(value: float) -> float:
    """The end of an axis: a round number that isn't below the value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(power * step for step in _STEPS if power * step >= value)


def _parts(points: Iterable[Point]) -> Iterator[list[Point]]:
    """The stretches between gaps."""
    for known, part in groupby(points, key=lambda point: point.value is not None):
        if known:
            yield list(part)
