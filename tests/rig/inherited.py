"""Write below FOLDER what a test host inherits from this controller, as files of the host's root.

CA certificates  usr/local/share/ca-certificates/controller-<n>.crt, one each, so that
                 update-ca-certificates keeps them, from PIP_CERT, REQUESTS_CA_BUNDLE,
                 SSL_CERT_FILE and pip's setting `cert`
pip              etc/pip.conf
apt              etc/apt/apt.conf.d/90controller: proxies and the checks of the lists' dates

Whatever is not set here is not written. Paths and addresses that only this machine can reach
(file:, loopback) are left out. Usage: inherited.py FOLDER
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
ELSEWHERE = re.compile(r"https?://(?!(?:[^/@]*@)?(?:localhost|127\.|\[::1\]))")
BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
HOST_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
PIP_SECTIONS = ("global", "install", ":env:")  # the later one wins
APT_SETTINGS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Date",
    "Acquire::Check-Valid-Until",
)


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pip_settings() -> dict[str, str]:
    """What `pip install` goes by here, from the environment and pip's files."""
    if not importlib.util.find_spec("pip"):
        sys.exit(f"{sys.executable} has no pip: run `make venv`, and have .venv/bin first on PATH.")
    found: dict[str, dict[str, str]] = {section: {} for section in PIP_SECTIONS}
    for line in output(sys.executable, "-m", "pip", "config", "list").splitlines():
        name, value = line.split("=", 1)
        section, option = name.rsplit(".", 1)
        if section in found:
            found[section][option.removeprefix("default-")] = ast.literal_eval(value)
    return {option: value for section in PIP_SECTIONS for option, value in found[section].items()}


def certificates(bundles: set[str]) -> list[str]:
    """The certificates of all bundles, each once."""
    for bundle in bundles:
        if not Path(bundle).is_file():
            sys.exit(f"The CA bundle {bundle} is no file: set {', '.join(BUNDLES)} right.")
    texts = [Path(bundle).read_text(encoding="utf-8") for bundle in sorted(bundles)]
    return list(dict.fromkeys(found for text in texts for found in CERTIFICATE.findall(text)))


def pip_conf(settings: dict[str, str], has_certificates: bool) -> str:
    """A host's pip.conf; empty if there is nothing to say."""
    kept = {name: value for name, value in settings.items() if name in ("timeout", "trusted-host")}
    for name in ("index-url", "extra-index-url", "proxy"):
        addresses = [word for word in settings.get(name, "").split() if ELSEWHERE.match(word)]
        if addresses:
            kept[name] = " ".join(addresses)
    if has_certificates:
        kept["cert"] = HOST_BUNDLE
    lines = [f"{name} = {' '.join(value.split())}\n" for name, value in sorted(kept.items())]
    return "".join(["[global]\n", *lines]) if lines else ""


def apt_conf() -> str:
    """A host's apt settings; empty if there is nothing to say, or no apt here."""
    if not shutil.which("apt-config"):
        return ""
    lines = output("apt-config", "dump", *APT_SETTINGS).splitlines(keepends=True)
    set_lines = [line for line in lines if not line.endswith(' "";\n')]
    return "".join(line for line in set_lines if "://" not in line or ELSEWHERE.search(line))


def main(folder: Path) -> None:
    settings = pip_settings()
    bundles = {os.environ.get(name, "") for name in BUNDLES} | {settings.get("cert", "")}
    authorities = certificates(bundles - {""})

    files = {
        f"usr/local/share/ca-certificates/controller-{number:03}.crt": f"{text}\n"
        for number, text in enumerate(authorities)
    }
    files["etc/pip.conf"] = pip_conf(settings, bool(authorities))
    files["etc/apt/apt.conf.d/90controller"] = apt_conf()

    folder.mkdir(parents=True)
    for name, content in files.items():
        if content:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
