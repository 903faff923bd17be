from __future__ import annotations

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._systemd import environment_file


def test_values_are_quoted() -> None:
    text = environment_file({"A": 1, "B": True, "C": False, "D": 'say "$HOME" \\ `x`', "E": ""})
    assert text == ('A="1"\nB="1"\nC="0"\nD="say \\"\\$HOME\\" \\\\ \\`x\\`"\nE=""\n')


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", "A\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name of an environment variable"):
        environment_file({name: "x"})


def test_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="TOKEN holds a line break"):
        environment_file({"TOKEN": "a\nb"})
