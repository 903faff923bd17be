"""Where releases come from, what they run once, and how little a mistake in one does."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

APP = Path(__file__).resolve().parents[3] / "examples/monitoring_app"
RELEASES = "/opt/celeryops/monitoring/releases"
MIGRATED = "/var/lib/celeryops/monitoring/migrated"
WORK = "celery-monitoring-work@1.service"
# Nothing listens there, so whoever asked it would fail.
INDEX = "http://nobody:hidd3n@127.0.0.1:9/"

Site = Callable[..., Any]


@pytest.fixture(scope="module")
def host(cluster: dict[str, Host]) -> Host:
    return cluster["app1"]


@pytest.fixture
def state(host: Host) -> Callable[[], list[str]]:
    """What a mistake must not change."""
    return lambda: [
        host.check_output(command)
        for command in (
            "find /etc/celeryops -type f -exec sha256sum '{}' + | sort",
            "find /opt/celeryops/monitoring -maxdepth 2 -type l -printf '%p %l\\n' | sort",
            f"systemctl show --property=MainPID --value {WORK}",
        )
    ]


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., None]:
    """Runs git in the repository."""

    def run(*arguments: str) -> None:
        identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
        command = ["git", *identity, *arguments]
        subprocess.run(command, cwd=tmp_path / APP.name, check=True, capture_output=True)

    return run


@pytest.fixture
def repository(tmp_path: Path, git: Callable[..., None]) -> Path:
    """The application in a repository, with the tag v1."""
    root = tmp_path / APP.name
    shutil.copytree(APP, root, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    git("init", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--message=first")
    git("tag", "v1")
    return root


def running(host: Host) -> str:
    """The release that the worker runs."""
    link = host.check_output("readlink --canonicalize /opt/celeryops/monitoring/instances/work1")
    return link.rsplit("/", 1)[1]


def planned(check: Any) -> str:
    """The release that a run would make current, which only that link's difference tells."""
    [release] = re.findall(r'^\+ +"src": "releases/([^"]+)"', check.output, re.MULTILINE)
    return str(release)


def refused(run: Any, sentence: str) -> None:
    assert len(run.errors) == 1, run.output
    assert sentence in run.errors[0]
    assert run.errors[0].endswith(".")


def test_the_commands_of_a_release_run_once(host: Host) -> None:
    # The scenario has applied the playbook twice.
    assert host.check_output(f"sort {MIGRATED} | uniq --count").split() == ["1", "once"]
    assert host.file(MIGRATED).user == "celery"


def test_a_repository_is_fetched_by_the_controller_alone(
    host: Host, site: Site, repository: Path
) -> None:
    source = f"git+file://{repository}"
    run = site(celery_app_source=source, celery_app_version="v1")
    assert not run.errors, run.output
    assert running(host).startswith("v1-")
    assert not host.exists("git")
    # The URL in there may hold a password.
    assert host.check_output(f"find {RELEASES} -path '*/.git/*'") == ""
    run = site("--check", celery_app_source=source, celery_app_version="v1")
    assert run.changed == {"app1": 0}, run.output


@pytest.mark.full
def test_a_branch_that_has_moved_is_another_release(
    site: Site, repository: Path, git: Callable[..., None], tmp_path: Path
) -> None:
    branch = {
        "celery_app_source": f"git+file://{repository}",
        "celery_app_version": "main",
        "celery_secrets_dir": str(tmp_path / "none"),
    }
    before = planned(site("--check", "--diff", **branch))
    assert before.startswith("main-")
    # The URL in there may hold a password.
    assert stat.S_IMODE((tmp_path / "none").stat().st_mode) == 0o700
    (repository / "src/monitoring_app/more.py").touch()
    git("add", "--all")
    git("commit", "--message=second")
    assert planned(site("--check", "--diff", **branch)) != before


@pytest.fixture
def git_server(host: Host, repository: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The repository on a server that lets one key in; the variables that lead to it."""
    key, known_hosts = tmp_path / "key", tmp_path / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    address = host.check_output("hostname -I").split()[0]
    known_hosts.write_text(
        f"{address} {host.file('/etc/ssh/ssh_host_ed25519_key.pub').content_string}"
    )
    url = f"ssh://git@{address}/srv/git/shop.git"
    host.check_output("apt-get install --yes --no-install-recommends git")
    host.check_output("useradd --create-home --home-dir=/srv/git --shell=/bin/sh git")
    host.check_output("runuser --user=git -- git init --bare /srv/git/shop.git")
    host.check_output("runuser --user=git -- mkdir --mode=700 /srv/git/.ssh")
    public = key.with_suffix(".pub").read_text()
    host.check_output("echo %s > /srv/git/.ssh/authorized_keys", public)
    ssh = f"ssh -i {key} -o IdentitiesOnly=yes -o UserKnownHostsFile={known_hosts}"
    subprocess.run(
        ["git", "push", url, "v1:refs/tags/ssh1"],
        cwd=repository,
        env={**os.environ, "GIT_SSH_COMMAND": ssh},
        check=True,
        capture_output=True,
    )
    yield {
        "celery_app_source": f"git+{url}",
        "celery_app_version": "ssh1",
        "celery_app_git_key": str(key),
        "celery_app_git_known_hosts": str(known_hosts),
    }
    host.check_output("userdel --remove git 2>&1")
    host.check_output("apt-get purge --yes git")


@pytest.mark.full
def test_a_key_lets_the_controller_into_a_repository(
    host: Host, site: Site, git_server: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    refused(
        site(**git_server | {"celery_app_git_key": str(other)}), "(Permission denied (publickey)"
    )
    unknown = {"celery_app_git_known_hosts": str(tmp_path / "nobody")}
    refused(site(**git_server | unknown), "(Host key verification failed)")
    run = site(**git_server)
    assert not run.errors, run.output
    assert running(host).startswith("ssh1-")


@pytest.fixture(scope="module")
def wheelhouse(play: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of the application, built on the host and fetched to the controller."""
    directory = tmp_path_factory.mktemp("controller") / "wheels"
    directory.mkdir()
    (directory / "README").touch()
    run = play(
        Path("celeryops.cluster.wheelhouse"),
        celery_app_source=str(APP),
        celery_app_wheelhouse=str(directory),
    )
    assert not run.errors, run.output
    return directory


@pytest.mark.full
def test_wheels_that_cannot_be_had(host: Host, play: Callable[..., Any], tmp_path: Path) -> None:
    directory = tmp_path / "wheels"
    run = play(
        Path("celeryops.cluster.wheelhouse"),
        celery_app_source=str(APP),
        celery_app_packages=["celery==0.0.404"],
        celery_app_wheelhouse=str(directory),
    )
    refused(run, "app1 finds no celery==0.0.404 that fits it")
    assert not directory.exists()
    assert host.check_output("ls -d /tmp/*.celeryops || true") == ""


def pinned(wheelhouse: Path) -> dict[str, str]:
    """A line of requirements with the hash of each wheel, by the name of its package."""
    lines = {}
    for wheel in wheelhouse.glob("*.whl"):
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines[name] = f"{name}=={version} --hash=sha256:{digest}\n"
    del lines["monitoring_app"]
    return lines


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(str(APP), id="directory"),
        pytest.param(
            "{wheelhouse}/monitoring_app-1.0.0-py3-none-any.whl", id="wheel", marks=pytest.mark.full
        ),
        pytest.param("monitoring_app==1.0.0", id="requirement", marks=pytest.mark.full),
    ],
)
def test_a_wheelhouse_stands_in_for_the_index(
    host: Host, site: Site, wheelhouse: Path, source: str
) -> None:
    before = running(host)
    run = site(
        celery_app_source=source.format(wheelhouse=wheelhouse),
        celery_app_wheelhouse=str(wheelhouse),
        celery_pip_index_url=INDEX,
    )
    assert not run.errors, run.output
    assert running(host) != before
    assert not host.file(f"{RELEASES}/{running(host)}/wheels").exists


def test_building_wheels_leaves_what_was_there(host: Host, wheelhouse: Path) -> None:
    assert (wheelhouse / "README").exists()
    assert not list(wheelhouse.glob("*.tar.gz"))
    assert host.check_output("ls -d /tmp/*.celeryops || true") == ""


@pytest.mark.full
def test_a_pool_whose_kind_the_wheelhouse_lacks(
    site: Site, state: Callable[[], list[str]], wheelhouse: Path
) -> None:
    before = state()
    pool = {"name": "work", "kind": "gevent", "queues": ["default", "checks"], "concurrency": 1}
    run = site(celery_app_wheelhouse=str(wheelhouse), celery_worker_pools=[pool])
    refused(run, "app1 finds no gevent>=24.11 in celery_app_wheelhouse that fits")
    assert state() == before


@pytest.mark.full
def test_an_index_tells_nobody_its_password(host: Host, site: Site) -> None:
    run = site("--diff", "-vvv", celery_app_packages=["tzlocal"], celery_pip_index_url=INDEX)
    refused(run, "app1 finds no ")
    assert "hidd3n" not in run.output
    assert host.check_output("grep -rl hidd3n /etc /opt /tmp /var/lib/celeryops || true") == ""


@pytest.mark.full
def test_pinned_requirements_hold_for_what_builds(
    host: Host,
    site: Site,
    state: Callable[[], list[str]],
    wheelhouse: Path,
    tmp_path: Path,
) -> None:
    lines = pinned(wheelhouse)
    requirements = tmp_path / "requirements.txt"
    own = {
        "celery_app_wheelhouse": str(wheelhouse),
        "celery_app_requirements": str(requirements),
    }
    before = state()
    requirements.write_text("".join(line for name, line in lines.items() if name != "setuptools"))
    refused(site(**own), "app1 can't build monitoring_app without 'setuptools>=77'")
    assert state() == before
    earlier = running(host)
    requirements.write_text("".join(lines.values()))
    run = site(**own)
    assert not run.errors, run.output
    assert running(host) != earlier


MISTAKES = {
    "less than no releases": (
        {"celery_app_keep_releases": "-1"},
        "celery_app_keep_releases is -1: set 0 or more.",
    ),
    "a ref that isn't there": (
        {"celery_app_source": f"git+file://{APP.parents[1]}", "celery_app_version": "v0-nowhere"},
        "can't be fetched at celery_app_version 'v0-nowhere'",
    ),
    "a package that isn't there": (
        {"celery_app_packages": ["celery==0.0.404"]},
        "app1 finds no celery==0.0.404 that fits it",
    ),
    "a Python that isn't there": (
        {"celery_app_python": "python3.99"},
        "app1 has no python3.99",
    ),
    "a wheelhouse that isn't there": (
        {"celery_app_wheelhouse": "/nowhere/wheels"},
        "celery_app_wheelhouse: '/nowhere/wheels' is no directory on the controller",
    ),
    "requirements that aren't there": (
        {"celery_app_requirements": "/nowhere/requirements.txt"},
        "celery_app_requirements: '/nowhere/requirements.txt' is no file on the controller",
    ),
}


@pytest.mark.full
@pytest.mark.parametrize(("variables", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_leaves_what_runs_alone(
    site: Site, state: Callable[[], list[str]], variables: dict[str, Any], sentence: str
) -> None:
    before = state()
    refused(site(**variables), sentence)
    assert state() == before


@pytest.mark.full
def test_after_a_failed_command_the_first_one_runs_again(
    host: Host, site: Site, state: Callable[[], list[str]]
) -> None:
    commands = [
        "python -c \"open('tried', 'a').write('again\\n')\"",
        "python -c 'raise SystemExit(\"no table\")'",
    ]
    before = state()
    for _ in range(2):
        refused(
            site(celery_app_release_commands=commands),
            "ended with exit code 1 on app1, and its last words were 'no table'",
        )
    assert state() == before
    assert host.file("/var/lib/celeryops/monitoring/tried").content_string == "again\n" * 2


def test_a_wheel_for_another_python(
    site: Site, state: Callable[[], list[str]], tmp_path: Path
) -> None:
    wheel = tmp_path / "monitoring_app-9.0-cp27-none-any.whl"
    wheel.touch()
    before = state()
    refused(site(celery_app_source=str(wheel)), f"app1 can't use {wheel.name}, which was built")
    assert state() == before


@pytest.mark.full
def test_requirements_with_a_wrong_hash(
    site: Site, state: Callable[[], list[str]], tmp_path: Path
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"celery==5.7.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    before = state()
    refused(
        site(celery_app_requirements=str(requirements)),
        "app1 got another file for celery==5.7.0 than celery_app_requirements allows",
    )
    assert state() == before


@pytest.mark.full
def test_a_full_disk_leaves_what_runs_alone(
    host: Host, site: Site, state: Callable[[], list[str]]
) -> None:
    other = {"celery_app_packages": ["tzdata"]}
    release = planned(site("--check", "--diff", **other))
    host.check_output(f"mkdir {RELEASES}/{release}")
    host.check_output(f"mount -t tmpfs -o size=30m,mode=755 tmpfs {RELEASES}/{release}")
    before = state()
    try:
        refused(site(**other), "app1 has no room left for the release")
        assert state() == before
        assert not host.file(f"{RELEASES}/{release}/venv").exists
    finally:
        host.check_output(f"umount {RELEASES}/{release}")
    assert not site(**other).errors
    assert running(host) == release


def test_old_releases_are_gone(host: Host, site: Site) -> None:
    host.check_output(f"mkdir --parents {RELEASES}/9.9-unfinished/venv")
    assert not site().errors
    found = host.check_output(f"ls {RELEASES}").splitlines()
    # The one that runs, and one for a way back, which nothing unfinished pushes out.
    assert len(found) == 2
    assert running(host) in found
    assert "9.9-unfinished" not in found
