"""Each rule finds what it is for, and nothing in a repository that keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from rules import RULES
from rules._run import apply
from sample import GOOD, MakeRepository

CASES: dict[str, dict[str, list[dict[str, str]]]] = yaml.safe_load(
    Path(__file__).with_name("cases.yml").read_text(encoding="utf-8")
)
# Names that the repository itself may not hold are put together here.
REGISTRY = "pypi" + ".org"
HOME = "/home" + "/somebody/"
FILES: dict[str, list[tuple[str, str, str]]] = {
    "sizes": [
        ("roles/worker/tasks/long.yml", "# x\n" * 101, "101 lines, at most 100"),
        ("plugins/modules/celery_pool.py", "# x\n" * 401, "401 lines, at most 400"),
        ("templates/long.j2", "x\n" * 81, "81 lines, at most 80"),
        ("playbooks/long.yml", "# x\n" * 151, "151 lines, at most 150"),
    ],
    "claims": [
        (
            "docs/control.md",
            "| What | How | Test |\n|---|---|---|\n| a | b | test_x.py::test_y |\n",
            "there is no test 'test_x.py::test_y'",
        ),
        (
            "docs/runbooks/drain.md",
            "| What | Test |\n|---|---|\n| a | target celery_pool |\n",
            "no test 'target celery_pool'",
        ),
    ],
    "shape": [
        ("roles/flower/tasks/main.yml", "---\n[]\n", "flower has no meta/argument_specs.yml"),
        ("roles/flower/tasks/main.yml", "---\n[]\n", "flower has no defaults/main.yml"),
        ("roles/_more/meta/main.yml", "---\n{}\n", "_more has no tasks/main.yml"),
        ("playbooks/other.yaml", "---\n[]\n", "rename it to .yml"),
        (
            "roles/worker/tasks/nodes/main.yml",
            "---\n- name: X\n  ansible.builtin.include_tasks: restart.yml\n",
            "include_tasks: restart.yml isn't there: write its path from tasks on",
        ),
    ],
    "wording": [
        ("README.md", f"See {HOME}x.\n", "is a path of somebody's machine"),
        ("README.md", "See /root" + "/x.\n", "is a path of somebody's machine"),
        ("README.md", f"See https://{REGISTRY}/simple.\n", "is a package registry"),
        ("uv.lock", 'url = "https://example.org/x.whl"\n', "a lock file names addresses"),
        ("requirements.txt", "x @ https://example.org/x.whl\n", "a lock file names addresses"),
    ],
}
RULES_BY_NAME = {rule.name: rule for rule in RULES}


def messages(rule: str, root: Path) -> list[str]:
    """What a rule says about a repository."""
    findings, _ = apply([RULES_BY_NAME[rule]], root)
    return [finding.shown(root) for finding in findings]


def changed(path: str, case: dict[str, str]) -> dict[str, str]:
    """The sample with one file changed as a case wants it."""
    text = GOOD[path]
    if "old" in case:
        assert case["old"] in text
        text = text.replace(case["old"], case["new"], 1)
    return GOOD | {path: text + case.get("add", "") + "\n"}


def test_the_sample_keeps_every_rule(make_repository: MakeRepository) -> None:
    findings, files = apply(RULES, make_repository(GOOD))
    assert findings == []
    assert len(files) == len(GOOD)


def test_every_rule_has_a_case() -> None:
    assert CASES.keys() | FILES.keys() == RULES_BY_NAME.keys()


@pytest.mark.parametrize(
    ("rule", "path", "case"),
    [
        pytest.param(rule, path, case, id=f"{rule}: {case['says']}")
        for rule, paths in CASES.items()
        for path, cases in paths.items()
        for case in cases
    ],
)
def test_a_change_is_found(
    rule: str, path: str, case: dict[str, str], make_repository: MakeRepository
) -> None:
    found = messages(rule, make_repository(changed(path, case)))
    assert any(case["says"] in line for line in found), found


@pytest.mark.parametrize(
    ("rule", "path", "text", "says"),
    [(rule, *file) for rule in FILES for file in FILES[rule]],
)
def test_a_file_is_found(
    rule: str, path: str, text: str, says: str, make_repository: MakeRepository
) -> None:
    found = messages(rule, make_repository(GOOD | {path: text}))
    assert any(says in line for line in found), found


def test_a_path_of_the_checkout_is_found(make_repository: MakeRepository) -> None:
    root = make_repository(GOOD)
    (root / "README.md").write_text(f"cd {root}/tests\n", encoding="utf-8")
    assert messages("wording", root) == [
        f"README.md:1: wording: {root} is a path of somebody's machine: leave it out"
    ]


def test_a_binary_file_is_passed_over(make_repository: MakeRepository) -> None:
    root = make_repository(GOOD)
    (root / "logo.png").write_bytes(b"\x89PNG\xff/home" + b"/somebody/")
    assert messages("wording", root) == []


def test_too_many_shared_variables_are_found(make_repository: MakeRepository) -> None:
    option = "      celery_{}: {{description: One., type: str}}\n"
    options = "".join(option.format(number) for number in range(21))
    spec = f"argument_specs:\n  main:\n    short_description: X\n    options:\n{options}"
    root = make_repository({f"roles/{r}/meta/argument_specs.yml": spec for r in ("a", "b")})
    assert any("21 variables are shared" in line for line in messages("specs", root))


def test_a_rule_without_files_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "roles").mkdir()
    findings, files = apply([RULES_BY_NAME["sizes"]], tmp_path)
    assert [finding.message.split(":")[0] for finding in findings] == ["no file to check"]
    assert files == set()


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("roles/worker/tasks/main.yml", "- name: [\n", "2: unreadable: not valid YAML"),
        ("roles/worker/templates/broker.env.j2", "A\n{{ if }\n", "2: unreadable: not valid Jinja"),
    ],
)
def test_a_broken_file_is_a_finding(
    path: str, text: str, says: str, make_repository: MakeRepository
) -> None:
    found = messages("variables", make_repository(GOOD | {path: text}))
    assert len(found) == 1
    assert f"{path}:{says}" in found[0]


def lines_of(name: str, files: dict[str, str], make: MakeRepository) -> list[Any]:
    """The lines on which a variable is found to be unknown."""
    findings, _ = apply([RULES_BY_NAME["variables"]], make(files))
    return [finding.line for finding in findings if name in finding.message]


def test_a_finding_names_its_line(make_repository: MakeRepository) -> None:
    text = "---\n_a: >-\n  {{ 1 +\n     celery_x }}\n_b: '{{ celery_x }}'\n"
    files = GOOD | {"roles/worker/vars/main.yml": GOOD["roles/worker/vars/main.yml"] + text[4:]}
    assert lines_of("celery_x", files, make_repository) == [6, 7]
