from __future__ import annotations

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._pip import (
    pip_problem,
    pip_steps,
    wheel_steps,
)

AS_PINNED = "--no-deps --no-build-isolation --check-build-dependencies"


def test_pip_resolves_all_at_once() -> None:
    assert pip_steps("shop==1", ["gevent"]) == [{"name": ["shop==1", "gevent"]}]


def test_a_file_of_requirements_decides_what_comes_from_the_index() -> None:
    assert pip_steps("/src/shop", ["gevent"], "/r.txt") == [
        {"requirements": "/r.txt"},
        {"name": ["/src/shop"], "extra_args": f"{AS_PINNED} --no-index"},
        {"name": ["gevent"], "extra_args": "--no-index"},
    ]
    assert pip_steps("shop==1", [], "/r.txt")[1:] == [
        {"name": ["shop==1"], "extra_args": "--no-index"}
    ]


def test_wheels_of_all_that_hosts_install() -> None:
    assert wheel_steps("/src/shop", ["gevent"], ["setuptools"], others=["celery"]) == [
        ["/src/shop", "gevent"],
        ["setuptools"],
        ["celery"],
    ]
    assert wheel_steps("/src/shop", ["gevent"], ["setuptools"], "/r.txt", ["celery"]) == [
        ["--requirement", "/r.txt"],
        ["celery"],
    ]


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
            "device",
            "w1 has no room left for the release",
        ),
        (
            "ERROR: shop-1.0-cp27-none-any.whl is not a supported wheel on this platform.",
            "w1 can't use shop-1.0-cp27-none-any.whl, which was built for another Python",
        ),
        (
            "ERROR: Package 'shop' requires a different Python: 3.11.7 not in '>=3.99'\n",
            "w1 can't use shop, which requires another Python (3.11.7 not in '>=3.99'): name",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you\n"
            "    tomli==2.0.1 from https://index.example/tomli.whl",
            "w1 got another file for tomli==2.0.1 than celery_app_requirements allows",
        ),
        (
            "ERROR: Hashes are required in --require-hashes mode, but they are missing\n"
            "    pluggy==1.5.0 --hash=sha256:44e1",
            "w1 needs pluggy==1.5.0 pinned and with its hash",
        ),
        (
            "ERROR: In --require-hashes mode, all requirements must have their versions pinned "
            "with ==. These do not:\n    amqp<6 from https://index.example/amqp.whl",
            "w1 needs amqp<6 pinned and with its hash",
        ),
        (
            "ERROR: Some build dependencies for file:///r/shop are missing: 'setuptools>=77'.\n",
            "w1 can't build shop without 'setuptools>=77': pin it",
        ),
        (
            "ERROR: Some build dependencies for file:///r/shop conflict with the backend "
            "dependencies: setuptools==66.0.0 is incompatible with setuptools>=77.\n",
            "w1 can't build shop as celery_app_requirements has it, since setuptools==66.0.0 is",
        ),
        (
            "Looking in links: /opt/celeryops/shop/releases/1-a/wheels\nProcessing shop\n"
            "ERROR: No matching distribution found for gevent\n",
            "w1 finds no gevent in celery_app_wheelhouse that fits its Python and machine: run",
        ),
        (
            "ERROR: No matching distribution found for shop==9.9\n",
            "w1 finds no shop==9.9 that fits it: correct",
        ),
        (
            'Failed to find required executable "python3.99" in paths: /usr/bin:/bin',
            "w1 has no python3.99: install it",
        ),
        ("SSLError(... CERTIFICATE_VERIFY_FAILED ...)", "w1 doesn't trust the certificate"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(message: str, sentence: str) -> None:
    told = pip_problem(f"stdout: Collecting shop\n:stderr: {message}", "w1")
    assert told.startswith(sentence)
    assert told.endswith(".")


def test_of_anything_else_pip_speaks_itself() -> None:
    assert pip_problem("Segmentation fault", "w1") == ""
