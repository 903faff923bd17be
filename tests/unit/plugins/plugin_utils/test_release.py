from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.celeryops.cluster.plugins.plugin_utils._release import (
    build_requirements,
    describe_release,
    digest_of,
    git_problem,
    git_repository,
    old_releases,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "shop").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1.4.0"\n')
    (root / "shop/celery.py").write_text("app = None\n")
    return root


def test_a_requirement_is_pinned_by_the_version() -> None:
    release = describe_release("shop", version="1.4.0", extras=["api"])
    assert release["requirement"] == "shop[api]==1.4.0"
    assert release["release"].startswith("1.4.0-")
    assert release["kind"] == "requirement"


def test_a_requirement_may_pin_itself() -> None:
    assert describe_release("celery[redis]==5.7.0")["requirement"] == "celery[redis]==5.7.0"


def test_an_unpinned_requirement_is_refused() -> None:
    with pytest.raises(ValueError, match="celery_app_version is not set"):
        describe_release("shop")


@pytest.mark.parametrize("source", ["shop>=1", "shop ; rm", "-e shop"])
def test_what_is_no_requirement_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="no pip requirement"):
        describe_release(source, version="1")


@pytest.mark.parametrize("source", ["/nowhere/shop", "shop-1.0-py3-none-any.whl", "./shop.tar.gz"])
def test_a_path_to_nowhere_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="correct the path"):
        describe_release(source)


def test_a_directory_is_known_by_its_content(project: Path) -> None:
    release = describe_release(str(project), extras=["api"])
    assert release["kind"] == "directory"
    assert release["requirement"] == "[api]"
    assert release["release"].startswith("1.4.0-")
    (project / "shop/__pycache__").mkdir()
    (project / "shop/__pycache__/x.pyc").write_bytes(b"x")
    assert describe_release(str(project), extras=["api"]) == release
    (project / "shop/celery.py").write_text("app = 1\n")
    assert describe_release(str(project), extras=["api"])["release"] != release["release"]


def test_what_builds_a_project(project: Path) -> None:
    assert build_requirements(project) == ["setuptools"]
    file = project / "pyproject.toml"
    file.write_text('[build-system]\nrequires = ["setuptools_scm[toml]>=8"]\n')
    assert describe_release(str(project))["builders"] == ["setuptools_scm[toml]>=8"]
    file.write_text("[build-system\n")
    with pytest.raises(ValueError, match=r"pyproject.toml' can't be read .*: correct it\."):
        build_requirements(project)


def test_a_wheel_brings_its_version(tmp_path: Path) -> None:
    wheel = tmp_path / "shop-2.0.1-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    release = describe_release(str(wheel))
    assert (release["kind"], release["path"]) == ("file", str(wheel))
    assert release["release"].startswith("2.0.1-")


@pytest.mark.parametrize(
    ("source", "repository"),
    [
        ("git+https://git.example/shop", "https://git.example/shop"),
        ("git+ssh://git@git.example/shop", "ssh://git@git.example/shop"),
        ("git@git.example:team/shop", "git@git.example:team/shop"),
        ("shop==1.0", ""),
        ("/srv/git+https", ""),
    ],
)
def test_the_repository_of_a_source(source: str, repository: str) -> None:
    assert git_repository(source) == repository


def test_what_git_says_is_told_without_credentials() -> None:
    message = "Failed to init\nfatal: unable to access 'https://me:secret@git.example/shop/'.\n"
    sentence = git_problem(message, "git+https://me:secret@git.example/shop", "v9")
    assert sentence == (
        "celery_app_source: 'git+https://git.example/shop' can't be fetched at celery_app_version "
        "'v9' (fatal: unable to access 'https://git.example/shop/'): correct the URL, the ref, "
        "celery_app_git_key or celery_app_git_known_hosts."
    )
    assert "(git gave no reason)" in git_problem("", "git@git.example:shop", "")


def test_what_ssh_says_tells_more_than_git() -> None:
    message = (
        "git@git.example: Permission denied (publickey).\n"
        "fatal: Could not read from remote repository.\n\nPlease make sure you have the rights."
    )
    assert " (Permission denied (publickey)): " in git_problem(message, "git@git.example:shop", "")


def test_every_ingredient_makes_another_release() -> None:
    names = {
        describe_release("shop==1", **change)["release"]
        for change in (
            {},
            {"extras": ["api"]},
            {"packages": ["gevent"]},
            {"salt": ["runtime"]},
            {"version": "2"},
        )
    }
    assert len(names) == 5


def test_a_renamed_file_is_another_content(project: Path) -> None:
    before = digest_of(project)
    (project / "shop/celery.py").rename(project / "shop/app.py")
    assert digest_of(project) != before


def test_other_requirements_are_another_release(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("celery==5.7.0\n")
    first = describe_release("shop==1", requirements=str(file))
    file.write_text("celery==5.6.0\n")
    assert describe_release("shop==1", requirements=str(file))["release"] != first["release"]
    file.unlink()
    with pytest.raises(ValueError, match=r"celery_app_requirements: .* is no file"):
        describe_release("shop==1", requirements=str(file))


FOUND = [{"path": f"/r/{age}"} for age in (3, 0, 4, 1, 2)]
COMPLETE = [{"path": f"/r/{age}/release.json", "mtime": 100.0 - age} for age in (3, 0, 4, 1, 2)]


def test_old_releases_are_those_that_nothing_needs() -> None:
    assert old_releases(FOUND, COMPLETE, used=["/r/3"], keep=2) == ["/r/2", "/r/4"]
    assert old_releases(FOUND, COMPLETE, used=[], keep=9) == []


def test_an_incomplete_release_pushes_out_no_way_back() -> None:
    complete = [mark for mark in COMPLETE if mark["path"].startswith(("/r/2", "/r/4"))]
    assert old_releases(FOUND, complete, used=["/r/1"], keep=1) == ["/r/0", "/r/3", "/r/4"]


def test_an_old_release_that_has_run_lately_is_a_way_back() -> None:
    marks = [*COMPLETE, {"path": "/r/4/ran", "mtime": 200.0}]
    assert old_releases(FOUND, marks, used=["/r/0"], keep=1) == ["/r/1", "/r/2", "/r/3"]
