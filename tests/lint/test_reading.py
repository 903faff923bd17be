"""What the rules read from names and expressions."""

from __future__ import annotations

from pathlib import Path

import pytest
from rules._jinja import included_templates, names_in_text
from rules._secrets import is_secret_name

HERE = Path("x.j2")


@pytest.mark.parametrize(
    "name",
    ["celery_broker_password", "_x_api_key", "broker_url", "auth_token", "a_secrets"],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["key", "tls_key_file", "celery_secrets_dir", "key_prefix", "token_type", "monkey"],
)
def test_names_that_only_speak_of_secrets(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "{{ x_password }}",
        "{{ {'a': [x_password]} | to_json }}",
        "{{ a.b.x_password }}",
        "{{ a['x_password'] | default('') }}",
        "{{ x_password if a else b }}",
        "{% if a %}{{ x_password }}{% endif %}",
        "{{ hosts | map('extract', hostvars, 'x_password') }}",
    ],
)
def test_what_exposes_a_name(text: str) -> None:
    assert ("x_password", True) in [(use.name, use.exposed) for use in names_in_text(HERE, text)]


@pytest.mark.parametrize(
    "text",
    [
        "{{ x_password is defined }}",
        "{{ x_password == '' }}",
        "{{ not x_password }}",
        "{{ x_password | length }}",
        "{{ ('a' ~ x_password) | hash('sha256') }}",
        "{{ a if x_password else b }}",
        "{% if x_password %}a{% endif %}",
    ],
)
def test_what_hides_a_name(text: str) -> None:
    assert ("x_password", False) in [(use.name, use.exposed) for use in names_in_text(HERE, text)]


def test_keys_of_hostvars_and_vars_are_variables() -> None:
    text = "{{ hostvars['h'].a ~ hostvars[h]['b'] ~ vars['c'] ~ other['d'] ~ other.e }}"
    names = {use.name for use in names_in_text(HERE, text) if use.variable}
    assert names == {"hostvars", "h", "a", "b", "vars", "c", "other"}


def test_names_made_in_a_template_are_left_out() -> None:
    text = "{% set a = b %}{% for c in a %}{{ c }}{% endfor %}"
    assert [use.name for use in names_in_text(HERE, text)] == ["b"]


def test_lines_count_from_the_text_s_own() -> None:
    assert [use.line for use in names_in_text(HERE, "{{ a }}\n{{ b }}", 10)] == [10, 11]


def test_templates_that_a_template_includes(tmp_path: Path) -> None:
    path = tmp_path / "a.j2"
    path.write_text("{% extends 'b' %}{% include ['c', 'd'] ignore missing %}{% import 'e' as e %}")
    assert sorted(included_templates(path)) == ["b", "c", "d", "e"]
