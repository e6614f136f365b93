"""What the scripts take from Debian: packages for this machine, a package's source, and a whole root of another suite.

The mirror is the one that this machine's own apt sources name.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workshop import Unavailable, cache_dir, run_logged

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_APT_ENV = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Mirror:
    uri: str
    keyring: str


def apt_env() -> dict[str, str]:
    return dict(os.environ) | _APT_ENV


@functools.cache
def mirror() -> Mirror:
    """The first Debian archive among this machine's apt sources (both spellings of those files)."""
    folder = Path("/etc/apt/sources.list.d")
    for file in sorted(folder.glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.M))
            if "deb" in fields.get("Types", "").split():
                for uri in fields.get("URIs", "").split():
                    if _is_archive(uri):
                        return Mirror(uri, _keyring(fields.get("Signed-By", "")))
    for file in [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list"))]:
        text = file.read_text() if file.exists() else ""
        for options, uri in re.findall(r"^deb\s+(?:\[([^]]*)\]\s+)?(\S+)", text, re.M):
            if _is_archive(uri):
                named = re.search(r"signed-by=(\S+)", options)
                return Mirror(uri, _keyring(named[1] if named else ""))
    raise Unavailable("this machine's apt sources name no Debian archive")


def _is_archive(uri: str) -> bool:
    return uri.rstrip("/").endswith("/debian")


def _keyring(named: str) -> str:
    return named if Path(named).is_file() else _KEYRING


def install_on_host(*packages: str) -> None:
    """Installs the packages that are not there yet; costs one dpkg call where nothing lacks."""
    lacking = [package for package in packages if not _installed(package)]
    if not lacking:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable(f"it needs {', '.join(lacking)}; as root: apt-get install {' '.join(lacking)}")
    log = cache_dir() / "logs" / "apt.log"
    run_logged(["apt-get", "update"], log, env=apt_env(), append=True, attempts=4)
    install = ["apt-get", "install", "-y", "--no-install-recommends", *lacking]
    run_logged(install, log, env=apt_env(), append=True, attempts=3)


def _installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f=${db:Status-Status}", package]
    try:
        return subprocess.run(query, capture_output=True, text=True).stdout == "installed"
    except FileNotFoundError:
        return False


def download_source(package: str, suites: tuple[str, ...], into: Path) -> Path:
    """The newest upstream tar of a source package in these suites. The machine's own apt settings stay as they are."""
    install_on_host("dpkg-dev")
    lists = into / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    found = mirror()
    sources = into / "sources.list"
    sources.write_text("".join(f"deb-src [signed-by={found.keyring}] {found.uri} {suite} main\n" for suite in suites))
    options = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": lists,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    log = cache_dir() / "logs" / f"source-{package}.log"
    run_logged([*apt, "update"], log, env=apt_env(), attempts=4)
    run_logged([*apt, "source", "--download-only", package], log, cwd=into, env=apt_env(), append=True, attempts=3)
    tars = sorted(into.glob(f"{package}_*.orig.tar.*[a-z2]"))
    if not tars:
        raise Unavailable(f"apt-get source {package} brought no upstream tar (see {log})")
    return tars[-1]


def bootstrap(suite: str, folder: Path, packages: tuple[str, ...]) -> None:
    """Fills `folder` with a minimal Debian of that suite."""
    if os.geteuid() != 0:
        raise Unavailable(f"a Debian {suite} root needs root rights: run as root, or install this Python yourself")
    install_on_host("debootstrap", "util-linux")
    # An older debootstrap does not know a newer suite by name; all suites since sid's script was written are alike.
    script = Path("/usr/share/debootstrap/scripts/sid")
    found = mirror()
    run_logged(
        [
            "debootstrap",
            "--variant=minbase",
            f"--keyring={found.keyring}",
            f"--include={','.join(packages)}",
            suite,
            str(folder),
            found.uri,
            str(script),
        ],
        cache_dir() / "logs" / f"debootstrap-{suite}.log",
        env=apt_env(),
        attempts=2,
    )
    settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout.splitlines()
    shared = [line for line in settings if re.match(r"Acquire::(http|https|Retries|Check-)", line)]
    # The root asks the same mirror, so it needs the same proxy and the same checks of the mirror's dates.
    (folder / "etc/apt/apt.conf.d/00host").write_text("".join(f"{line}\n" for line in shared))
