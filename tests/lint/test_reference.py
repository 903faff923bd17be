"""The reference says what specs, ansible-doc and playbooks say, in tables that hold together."""

from __future__ import annotations

import pytest
from generate import (
    first_comment,
    option_rows,
    playbooks_page,
    plugin_section,
    plugins_page,
    roles_page,
    to_markdown,
)
from sample import GOOD, MakeRepository


@pytest.mark.parametrize(
    ("ansible", "markdown"),
    [
        ("C(a) V(b) E(C) P(d#lookup)", "`a` `b` `C` `d`"),
        ("O(pool=cpu) and RV(nodes)", "`pool=cpu` and `nodes`"),
        ("O(a.b.c#module:pool)", "`pool`"),
        ("B(bold) I(italic)", "**bold** *italic*"),
        ("U(https://example.org) L(text, https://example.org)", "<https://example.org> [text](https://example.org)"),
        (r"C(call(\)) stays", "`call()` stays"),
        ("R(text,anchor) ABC(x)", "text ABC(x)"),
    ],
)  # fmt: skip
def test_markup(ansible: str, markdown: str) -> None:
    assert to_markdown(ansible) == markdown


def test_rows_of_options() -> None:
    options = {
        "app": {"type": "str", "required": True, "description": "Name"},
        "pools": {
            "type": "list",
            "elements": "dict",
            "default": [{"a": "x|y"}],
            "description": ["First", "Second."],
            "options": {"kind": {"type": "str", "choices": ["a", "b"], "description": "Kind."}},
        },
        "size": {"type": "int", "description": "Size."},
    }
    assert list(option_rows(options, "options", {"size": "{{ 1 }}"})) == [
        ["`app`", "str", "**required**", "Name."],
        ["`pools`", "list of dict", r'`[{"a": "x\|y"}]`', "First. Second."],
        ["`pools[].kind`", "str", "", "Kind. One of `a`, `b`."],
        ["`size`", "int", "computed", "Size."],
    ]


def test_roles(make_repository: MakeRepository) -> None:
    page = roles_page(make_repository(GOOD))
    assert page.count("\n## ") == 2
    assert (
        "\n## worker\n\n**Runs workers**\n\n| Variable | Type | Default | Description |\n" in page
    )
    assert "\n| `celery_worker_size` | int | computed | Number of processes; " in page
    assert (
        "\n| `health` | Reads the health. "
        "| `_celery_worker_grace` (int, `60`): Seconds until silence is a fault. |\n"
    ) in page


def test_a_role_without_variables(make_repository: MakeRepository) -> None:
    spec = "argument_specs: {main: {short_description: Does it, description: [One., Two.]}}\n"
    page = roles_page(make_repository({"roles/a/meta/argument_specs.yml": spec}))
    assert page.endswith("## a\n\n**Does it**\n\nOne.\n\nTwo.\n\nNo variables.\n")


def test_a_module() -> None:
    section = plugin_section(
        "celeryops.cluster.celery_pool",
        {
            "doc": {
                "short_description": "Sets sizes",
                "description": ["Of pools."],
                "options": {"size": {"type": "int", "description": ["Number"]}},
                "attributes": {
                    "diff_mode": {"support": "full", "description": "Shows it."},
                    "check_mode": {"support": "none", "description": "No.", "details": ["Never."]},
                },
            },
            "examples": "\n- name: Grow\n",
            "return": {
                "nodes": {
                    "type": "dict",
                    "returned": "always",
                    "description": "By name.",
                    "contains": {"before": {"type": "int", "description": "Size."}},
                }
            },
        },
    )
    assert section.split("\n\n") == [
        "## celery_pool",
        "**Sets sizes**",
        "Of pools.",
        "| Option | Type | Default | Description |\n|---|---|---|---|\n"
        "| `size` | int |  | Number. |",
        "| Attribute | Support | Details |\n|---|---|---|\n"
        "| `check_mode` | none | No. Never. |\n| `diff_mode` | full | Shows it. |",
        "```yaml\n- name: Grow\n```",
        "| Returned | Type | When | Description |\n|---|---|---|---|\n"
        "| `nodes` | dict | always | By name. |\n| `nodes.before` | int |  | Size. |",
    ]


def test_modules_are_sorted() -> None:
    module = {"doc": {"short_description": "X"}}
    page = plugins_page("Modules", {"celeryops.cluster.b": module, "celeryops.cluster.a": module})
    assert page.index("## a") < page.index("## b")


def test_playbooks(make_repository: MakeRepository) -> None:
    text = (
        "---\n# Runs it all.\n#\n# Twice.\n\n# Not this.\n- name: First\n  hosts: all\n"
        "- name: Then\n  ansible.builtin.import_playbook: celeryops.cluster.health\n"
    )
    page = playbooks_page(make_repository({"playbooks/run.yml": text}))
    assert page.endswith(
        "## run\n\nRuns it all.\n\nTwice.\n\n`celeryops.cluster.run`\n\n"
        "1. First (`all`)\n2. Then (the plays of [health](#health))\n"
    )


def test_plays_that_playbooks_share_are_their_own(make_repository: MakeRepository) -> None:
    imports = "- name: All\n  ansible.builtin.import_playbook: plays/shared.yml\n"
    shared = "- name: First\n  hosts: all\n- name: Second\n  hosts: some\n"
    root = make_repository({"playbooks/run.yml": imports, "playbooks/plays/shared.yml": shared})
    assert playbooks_page(root).endswith("\n\n1. First (`all`)\n2. Second (`some`)\n")


@pytest.mark.parametrize("text", ["", "---\n", "- hosts: all\n# Later.\n"])
def test_no_comment_at_the_top(text: str) -> None:
    assert first_comment(text) == ""
