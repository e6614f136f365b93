"""Commands inside a Debian root: its own libraries and compiler, with the host's network and pip settings.

Each command gets a mount namespace of its own, in which the host's files that it needs are bound to the same paths.
Nothing stays mounted when it ends, however it ends.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

# $1 is the root, $2 the number of paths to bind; the paths and the command follow. exec all the way: the process that
# the caller started is the command itself, so that signals and exit codes need no forwarding.
_ENTER = (
    "set -e; root=$1; count=$2; shift 2; "
    'mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"; '
    'while [ $count -gt 0 ]; do mount --bind "$1" "$root$1"; shift; count=$((count - 1)); done; '
    'exec chroot "$root" "$@"'
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NETWORK = ("/etc/resolv.conf", "/etc/hosts")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Root:
    folder: Path
    shared: tuple[Path, ...] = ()  # host folders that are to be seen inside too

    def command(self, args: Sequence[str], cwd: Path | None = None) -> list[str]:
        """The host's command line that runs `args` inside."""
        paths = _bound([*map(Path, _NETWORK), *pip_inputs(), *self.shared])
        for path in paths:
            self._mount_point(path)
        inside = ["/usr/bin/env", "-C", str(cwd or "/"), f"PATH={_PATH}", "TMPDIR=/tmp", "LANG=C.UTF-8", *args]
        enter = ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(self.folder), str(len(paths))]
        return [*enter, *map(str, paths), *inside]

    def _mount_point(self, path: Path) -> None:
        inside = self.folder / path.relative_to("/")
        if inside.is_symlink():  # would lead out of the root
            inside.unlink()
        if path.is_dir():
            inside.mkdir(parents=True, exist_ok=True)
        elif not inside.exists():
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.touch()


def _bound(paths: Sequence[Path]) -> list[Path]:
    """Those that exist, outer ones first, without those that lie below another."""
    chosen: list[Path] = []
    for path in sorted({path for path in paths if path.exists()}):
        if not any(path.is_relative_to(outer) for outer in chosen):
            chosen.append(path)
    return chosen


def pip_inputs() -> list[Path]:
    """pip's configuration on this machine and every local file or folder that it, or the environment, names."""
    home = Path.home()
    configurations = [Path("/etc/pip.conf"), Path("/etc/xdg/pip/pip.conf"), home / ".pip/pip.conf"]
    configurations += [home / ".config/pip/pip.conf"]
    if named := os.environ.get("PIP_CONFIG_FILE"):
        configurations.append(Path(named))
    values = [value for name, value in os.environ.items() if name.startswith("PIP_") or name in _CERTIFICATES]
    for file in configurations:
        parser = configparser.RawConfigParser()
        if file.is_file():
            parser.read(file)
        values += [value for section in parser.sections() for _, value in parser.items(section)]
    local = [path for value in values for token in value.split() if (path := _local(token))]
    return [file for file in configurations if file.is_file()] + local


def _local(token: str) -> Path | None:
    if token.startswith("file://"):
        # An index refers to the files beside it: "../files/x.whl".
        return Path(unquote(urlparse(token).path)).parent
    # A whole system folder bound over the root's would hide what the root has there.
    return Path(token) if token.startswith("/") and token.count("/") > 1 else None
