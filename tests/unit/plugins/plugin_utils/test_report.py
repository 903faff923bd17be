from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._report import (
    Outcome,
    Report,
    duration,
    report_of,
)
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_chart import top_value
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_lines import report_lines
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_page import report_page
from ansible_collections.celeryops.cluster.plugins.plugin_utils._report_series import (
    Interval,
    Point,
    bands,
    highest,
    intervals,
    lowest,
    read_looks,
    running,
    steady_rate,
    throughput,
)

OLD, NEW = "1.3-ef", "1.4-ab"
STEPS = {"drain": 1002.0, "change": 1008.0, "gate": 1012.0, "done": 1020.0}
BACK = {"drain": 1002.0, "change": 1008.0, "gate": 1012.0, "back": 1020.0, "restored": 1030.0}


def look(time: float, done: int | None = 0, release: str = OLD, **more: Any) -> dict[str, Any]:
    """One node on w1."""
    node = {"done": done, "release": release, "paused": more.pop("paused", False)}
    return {
        "time": time,
        "nodes": {"cpu1@w1": node},
        "queues": {"default": 3, "mail": None},
        **more,
    }


def recording(*looks: dict[str, Any]) -> str:
    return "\n".join(json.dumps(one) for one in looks)


def failing(time: float) -> dict[str, Any]:
    return {"time": time, "error": "The broker doesn't answer."}


WHOLE = recording(
    *(look(1000.0 + 2 * n, 10 * n) for n in range(4)),
    look(1006.5, 30, paused=True),
    {"time": 1008.0, "nodes": {}, "queues": {"default": 40}},
    *(look(1012.0 + 2 * n, 12 * n, NEW) for n in range(6)),
)


def report(**given: Any) -> Report:
    host = {
        "__celery_worker_releases": [OLD, OLD],
        "__celery_worker_rolls": True,
        "__celery_worker_moments": given.pop("moments", STEPS),
        "__celery_worker_cause": given.pop("cause", ""),
    }
    others = {"w2": {"__celery_worker_rolls": False}, "w3": {"__celery_worker_rolls": True}}
    told = {"app": "shop", "release": NEW, "recording": WHOLE, "now": 1024.0, **given}
    return report_of([["w1"], ["w2", "w3"]], {"w1": host, **others}, **told)


def rates(*looks: dict[str, Any]) -> list[Point]:
    return throughput(intervals(read_looks(recording(*looks))))


class Page(HTMLParser):
    """The tags of a page, its text, and what it would load from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_line_of_a_recording_that_is_cut_off_is_passed_over() -> None:
    looks = read_looks(recording(look(1.0, 5)) + '\n{"time":2.0,"nod\n[]\n')
    assert [one.time for one in looks] == [1.0]
    assert looks[0].done == {"cpu1@w1": 5}
    assert looks[0].backlog == 3


def test_the_throughput_is_that_of_the_seconds_before() -> None:
    points = rates(*(look(2.0 * n, 10 * n) for n in range(4)))
    assert [point.value for point in points] == [None, 5.0, 5.0]


def test_a_count_that_begins_anew_is_what_the_worker_has_done_since() -> None:
    looks = read_looks(recording(look(0, 100), look(5, 150), look(10, 20)))
    assert [interval.tasks for interval in intervals(looks)] == [50, 20]


def test_what_a_node_did_while_it_was_not_seen_is_spread_over_that_time() -> None:
    away = {"time": 4.0, "nodes": {}, "queues": {}}
    looks = read_looks(recording(look(0, 0), away, look(8, 40)))
    assert [interval.tasks for interval in intervals(looks)] == [20, 20]


def test_there_is_a_gap_where_the_broker_was_silent() -> None:
    points = rates(look(0, 0), look(5, 10), failing(6), look(7, 14), look(12, 24))
    assert [point.value for point in points] == [2.0, None, None, 2.0]


def test_there_is_a_gap_where_nobody_has_looked_for_long() -> None:
    assert [point.value for point in rates(look(0, 0), look(5, 10), look(300, 20))] == [2.0, None]


def test_a_node_that_tells_no_count_does_not_count() -> None:
    assert [point.value for point in rates(look(0, None), look(5, 10), look(10, 20))] == [0.0, 1.0]


def test_the_steady_rate_is_that_of_the_times_without_a_change() -> None:
    measured = [
        Interval(0, 5, 50),
        Interval(5, 10, 5),
        Interval(10, 15, 70),
        Interval(15, 20, None),
    ]
    assert steady_rate(measured, [(6, 9)]) == 12.0
    assert steady_rate(measured, [(0, 14)]) is None


def test_lowest_and_highest_pass_over_what_is_not_known() -> None:
    points = [Point(0, 1.0), Point(5, None), Point(10, 3.0), Point(15, 9.0)]
    assert lowest(points, 5, 15) == 3.0
    assert highest(points) == 9.0
    assert lowest(points, 100, 200) is None
    assert highest([]) is None


def test_a_host_has_a_band_for_each_release_and_for_the_time_between() -> None:
    found = [(band.start, band.state) for band in bands(read_looks(WHOLE), "w1")]
    assert found == [(1000, OLD), (1006.5, "paused"), (1008, "silent"), (1012, NEW)]
    assert {band.state for band in bands(read_looks(WHOLE), "w9")} == {"silent"}


def test_a_host_on_which_two_releases_run_shows_both() -> None:
    both = look(0)
    both["nodes"]["cpu2@w1"] = {"done": 0, "release": NEW, "paused": False}
    (band,) = bands(read_looks(recording(both, look(5))), "w1")
    assert band.state == f"{OLD} and {NEW}"


def test_who_runs_what_is_what_was_seen_last() -> None:
    assert running(read_looks(WHOLE + "\n" + recording(failing(2000)))) == {"cpu1@w1": NEW}
    assert running([]) == {}


@pytest.mark.parametrize(
    ("moments", "outcome"),
    [
        (STEPS, Outcome.DONE),
        (BACK, Outcome.BACK),
        ({"drain": 1.0, "change": 2.0, "gate": 3.0, "back": 4.0}, Outcome.BROKEN),
        ({"drain": 1.0}, Outcome.KEPT),
        ({}, Outcome.UNTOUCHED),
    ],
)
def test_the_moments_of_a_host_tell_what_became_of_it(
    moments: dict[str, float], outcome: Outcome
) -> None:
    assert report(moments=moments).hosts[0].outcome is outcome


def test_the_text_tells_what_was_done_and_how_the_cluster_worked() -> None:
    assert report_lines(report()) == [
        "shop: change to release 1.4-ab: done on 1 of 2 hosts, in 22 s",
        "Batch 1: w1: 1.3-ef -> 1.4-ab, drained in 6 s, started in 4 s, gate passed in 8 s",
        "Batch 2: w3: 1.4-ab, configuration, not touched",
        "Running 1.4-ab: cpu1@w1",
        "Throughput: 5.8 tasks/s steady, 2.0 tasks/s at the lowest (34 %)",
        "Backlog: 40 at the highest",
    ]


def test_the_text_of_a_failure_tells_its_cause() -> None:
    first, host, *_others = report_lines(report(moments=BACK, cause="no canary"))
    assert first == "shop: change to release 1.4-ab: failed, done on 0 of 2 hosts, in 22 s"
    assert host == (
        "Batch 1: w1: 1.3-ef -> 1.4-ab, drained in 6 s, started in 4 s, "
        "went back to what ran before: no canary"
    )


def test_a_restart_has_no_release() -> None:
    first, host, *_others = report_lines(report(release=""))
    assert first.startswith("shop: restart: done on 1 of 2 hosts")
    assert host.startswith("Batch 1: w1: restart, drained in 6 s")


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ("", "No timeline: Nothing was recorded."),
        (recording(look(1000.0)), "No timeline: Nothing was recorded."),
        (
            recording(failing(1)),
            "No timeline: The cluster was not seen: The broker doesn't answer.",
        ),
    ],
    ids=["nothing", "one look", "silence"],
)
def test_without_a_recording_there_is_a_report_all_the_same(seen: str, told: str) -> None:
    without = report(recording=seen)
    assert report_lines(without)[-1] == told
    page = Page(report_page(without))
    assert told.removeprefix("No timeline: ") in page.texts
    assert "w1" in page.texts


def test_the_page_names_hosts_releases_and_results_and_needs_nothing_else() -> None:
    page = Page(report_page(report()))
    for text in ("w1", "w2", "w3", "1.3-ef → 1.4-ab", "passed", "not touched", "5.8/s", "2.0/s"):
        assert text in page.texts
    assert page.loaded == []
    assert "script" not in page.tags
    assert "svg" in page.tags


def test_what_others_say_is_text_on_the_page() -> None:
    bad = "<script>alert('x')</script>\"&"
    page = Page(report_page(report(moments=BACK, cause=bad, app=bad)))
    assert "script" not in page.tags
    assert bad in page.texts


def test_a_cluster_that_does_nothing_has_a_timeline() -> None:
    idle = recording(*(look(1000.0 + n, 0) for n in range(8)))
    assert "svg" in Page(report_page(report(recording=idle, moments={}))).tags


def test_spans_are_told_as_people_do() -> None:
    assert [duration(seconds) for seconds in (0.4, 59, 200, 7500)] == [
        "0 s",
        "59 s",
        "3 min 20 s",
        "2 h 5 min",
    ]


def test_an_axis_ends_at_a_round_number() -> None:
    assert [top_value(value) for value in (0, 0.5, 1, 26, 450)] == [1.0, 0.5, 1.0, 30.0, 500.0]
