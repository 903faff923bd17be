from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._doctor import (
    doctor_files,
    doctor_findings,
    doctor_lines,
)

PORT = {
    "check": "port",
    "severity": "error",
    "cause": "The broker refuses the connection.",
    "fix": "Start it.",
    "node": None,
    "host": "w1",
}
STOPPED = {**PORT, "check": "unit", "cause": "cpu is stopped.", "node": "cpu1@w1"}
NODE = {"reasons": ["doesn't answer within 2.0 s"]}
QUEUE = {"consumers": ["cpu1@w1"], "backlog": 0}


def host(*findings: dict[str, Any], **about: Any) -> dict[str, Any]:
    return {"findings": list(findings), **about}


def runs(**releases: str) -> list[dict[str, str]]:
    return [{"instance": name, "release": releases[name]} for name in releases]


def health(**about: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"nodes": {}, "queues": {}, "reasons": [], "duplicates": []}
    return {**empty, **about}


def judged(
    hosts: dict[str, Any],
    health: dict[str, Any] | None = None,
    queues: dict[str, Any] | None = None,
    foreign: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    hostvars: dict[str, dict[str, Any]] = {name: {"__doctor": hosts[name]} for name in hosts}
    hostvars["elsewhere"] = {}
    last = list(hosts)[-1]
    if health is not None:
        hostvars[last]["__doctor_health"] = health
    if queues is not None:
        hostvars[last]["__doctor_queues"] = {"queues": queues}
    found = doctor_findings([*hosts, "elsewhere"], hostvars, foreign)
    assert all(list(each) == list(PORT) for each in found)
    assert all(each["cause"].strip() and each["fix"].endswith(".") for each in found)
    return found


def test_a_healthy_cluster() -> None:
    nodes = {"cpu1@w1": {"reasons": []}}
    hosts = {
        "w1": host(
            clock_offset=0.4, releases=runs(cpu1="1.4"), routes=[{"task": "x", "queue": "q"}]
        )
    }
    served = {"nodes": ["cpu1@w1"], "consumers": 1, "ready": 3}
    assert judged(hosts, health(nodes=nodes, queues={"q": QUEUE}), {"q": served}) == []


def test_the_worst_comes_first_and_hosts_are_named() -> None:
    mild = {**PORT, "severity": "warning", "host": "a1"}
    found = judged({"a1": host(mild), "w1": host(PORT)})
    assert found == [PORT, mild]


def test_a_host_that_cannot_be_examined() -> None:
    found = judged(
        {
            "w1": {"unreachable": True, "msg": "Connection\n refused."},
            "w2": {"failed": True, "msg": "no app 'shop' on this host; known: none."},
        }
    )
    assert [(each["host"], each["check"]) for each in found] == [("w1", "host"), ("w2", "host")]
    assert found[0]["cause"] == "Ansible doesn't reach it (Connection refused)."
    assert found[1]["cause"] == "no app 'shop' on this host; known: none."


def test_a_clock() -> None:
    hosts = {f"w{n}": host(clock_offset=offset) for n, offset in enumerate([0.5, 3.0, 60.0, 1.0])}
    (found,) = judged({**hosts, "w9": host(clock_offset=None)})
    assert (found["host"], found["check"], found["severity"]) == ("w2", "clock", "warning")
    assert "59 s ahead of" in found["cause"]
    behind = judged({"w1": host(clock_offset=0.0), "w2": host(clock_offset=-20.0)})
    assert [each["check"] for each in behind] == ["clock"]


def test_releases() -> None:
    hosts = {
        "w1": host(releases=runs(cpu1="1.4", beat="1.4")),
        "w2": host(releases=runs(cpu1="1.3")),
    }
    (found,) = judged(hosts)
    assert found["cause"] == "cpu1 runs release 1.3, and most run 1.4."
    assert (found["host"], found["check"]) == ("w2", "version")


def test_a_node() -> None:
    nodes = {"cpu1@w2": NODE, "cpu1@w3": {"reasons": []}}
    (found,) = judged({"w1": host()}, health(nodes=nodes, reasons=["cpu1@w2: doesn't answer"]))
    assert (found["check"], found["host"], found["node"]) == ("node", "w2", "cpu1@w2")
    assert "--limit=w2" in found["fix"]


def test_two_nodes_of_one_name() -> None:
    (found,) = judged({"w1": host()}, health(nodes={"cpu1@w1": NODE}, duplicates=["cpu1@w1"]))
    assert found["check"] == "duplicate"
    assert "hostname=cpu1@w1" in found["fix"]


def test_a_node_whose_host_has_said_why_is_told_once() -> None:
    found = judged(
        {"w1": host(STOPPED), "w2": {"unreachable": True, "msg": "No route"}},
        health(nodes={"cpu1@w1": NODE, "cpu1@w2": NODE}),
    )
    assert [each["check"] for each in found] == ["unit", "host"]


def test_a_queue_without_consumer() -> None:
    reason = "no examined node shows that it consumes from queue 'q'"
    queues = {"q": {"consumers": [], "backlog": 7}}
    (found,) = judged({"w1": host()}, health(queues=queues, reasons=[reason]))
    assert (found["check"], found["host"]) == ("queue", None)
    assert "queue 'q', where 7 tasks wait" in found["cause"]


@pytest.mark.parametrize(
    ("reason", "check"),
    [
        ("no beat ticks: celerybeat@w1 doesn't answer", "beat"),
        ("no worker node answers", "cluster"),
        ("The broker at b failed: check its log.", "cluster"),
    ],
)
def test_what_else_health_says(reason: str, check: str) -> None:
    (found,) = judged({"w1": host()}, health(reasons=[reason]))
    assert found["check"] == check
    assert reason.rstrip(".")[1:] in found["cause"]


def test_a_broker_that_hosts_cannot_reach_is_not_told_again() -> None:
    gone = health(reasons=["The broker can't be reached."])
    assert judged({"w1": host(PORT)}, gone) == [PORT]
    assert judged({"w1": host(PORT)}, {"failed": True, "msg": "Gone."}) == [PORT]
    (found,) = judged({"w1": host()}, {"failed": True, "msg": "`timeout` is wrong."})
    assert found["cause"] == "`timeout` is wrong."


def test_a_queue_that_nobody_knows() -> None:
    lost = {"nodes": [], "consumers": 0, "ready": 3}
    empty = {**lost, "ready": 0}
    (found,) = judged({"w1": host()}, health(), {"typo": lost, "new": empty})
    assert found["check"] == "route"
    assert "3 tasks wait in queue 'typo'" in found["cause"]
    assert judged({"w1": host()}, health(), {"typo": lost}, foreign=("typo",)) == []


def test_a_route_to_nowhere() -> None:
    routes = [{"task": "shop.mail", "queue": "mial"}, {"task": "shop.x", "queue": "q"}]
    hosts = {name: host(routes=routes) for name in ("w1", "w2")}
    about = health(nodes={"cpu1@w1": {"reasons": []}}, queues={"q": QUEUE})
    (found,) = judged(hosts, about)
    assert (found["check"], found["severity"]) == ("route", "warning")
    assert "sends 'shop.mail' to queue 'mial'" in found["cause"]
    assert judged(hosts, about, foreign=("mial",)) == []
    assert judged(hosts, health()) == []


def test_lines() -> None:
    cluster = {**PORT, "severity": "warning", "host": None, "check": "queue"}
    assert doctor_lines([STOPPED, cluster]) == [
        "error    cpu1@w1  unit   cpu is stopped.",
        "                         -> Start it.",
        "warning  cluster  queue  The broker refuses the connection.",
        "                         -> Start it.",
        "errors: 1, warnings: 1",
    ]
    assert doctor_lines([]) == ["errors: 0, warnings: 0"]


def test_files() -> None:
    details = {
        "logs": [{"unit": "cpu.service", "lines": ["one", "two"]}],
        "versions": {"celery": "5.7"},
    }
    hostvars: dict[str, dict[str, Any]] = {
        "w1": {"__doctor": host(PORT, details=details), "__doctor_health": health()},
        "w2": {"__doctor": {"unreachable": True, "msg": "redis://:secret@b"}},
        "w3": {},
    }
    files = {
        file["name"]: file["content"] for file in doctor_files(["w1", "w2", "w3"], hostvars, [PORT])
    }
    assert sorted(files) == [
        "findings.json",
        "findings.txt",
        "health.json",
        "queues.json",
        "w1.cpu.service.log",
        "w1.json",
        "w2.json",
    ]
    assert files["w1.cpu.service.log"] == "one\ntwo\n"
    assert json.loads(files["w1.json"])["details"] == {"versions": {"celery": "5.7"}}
    assert json.loads(files["findings.json"]) == [PORT]
    assert "secret" not in files["w2.json"]
