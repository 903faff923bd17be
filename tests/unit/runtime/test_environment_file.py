"""Environment files mean here what they mean to systemd."""

from __future__ import annotations

from pathlib import Path

import pytest

from celeryops_runtime import SetupError
from celeryops_runtime._environment_file import read_environment_file


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("KEY=plain", "plain"),
        ("  KEY = spaces around  \n", "spaces around"),
        ("KEY=", ""),
        ("KEY=one\nKEY=two", "two"),
        ("# KEY=no\n; KEY=no\n\nKEY=yes", "yes"),
        ("KEY=a # b", "a # b"),
        (r"KEY=a\ b\\c\"d", r"a b\c" + '"d'),
        ("KEY=one\\\n two", "one two"),
        ('KEY="two words "', "two words "),
        (r'KEY="q\" b\\ t\` d\$ n\n"', r'q" b\ t` d$ n\n'),
        ('KEY="one\\\ntwo\nthree"', "onetwo\nthree"),
        (r"KEY='a\b \"c'", r"a\b \"c"),
        ("""KEY="a"'b'c""", "abc"),
        ("""KEY=it's "so" """, """it's "so\""""),
        ("KEY=pass=word", "pass=word"),
    ],
)
def test_values(text: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "worker.env"
    path.write_text(text, encoding="utf-8")
    assert read_environment_file(path) == {"KEY": value}


@pytest.mark.parametrize("text", ["KEY", "export KEY=value", 'KEY="open', "1KEY=value"])
def test_mistakes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "worker.env"
    path.write_text(f"A=1\n{text}\n", encoding="utf-8")
    with pytest.raises(SetupError, match=r"^Line 2 of .*worker\.env is neither KEY=value nor"):
        read_environment_file(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"none\.env cannot be read: No such file or directory"):
        read_environment_file(tmp_path / "none.env")
