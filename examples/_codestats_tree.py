"""Find the Python files of a tree, for codestats: nothing here is concurrent."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

SUFFIXES = (".py", ".pyw")


class Source(NamedTuple):
    """A file to read: where it is below the root, which top-level package it belongs to, how many bytes it has."""

    path: str
    package: str
    size: int


class Tree(NamedTuple):
    """What `find_sources` found: paths are relative to `root`."""

    root: str
    sources: list[Source]
    problems: list[tuple[str, str]]

    def take(self, path: str, package: str | None) -> None:
        """Add a file, or the reason why it cannot be read."""
        try:
            status = os.stat(os.path.join(self.root, path))
        except OSError as error:
            self.problems.append((path, reason_of(error)))
            return
        if stat.S_ISREG(status.st_mode):
            module = package or os.path.basename(path).partition(".")[0]
            self.sources.append(Source(path, module, status.st_size))
        else:  # reading a pipe would wait for its writer for ever
            self.problems.append((path, "unreadable: not a regular file"))


def find_sources(path: str, left_out: tuple[str, ...] = ()) -> Tree:
    """List the Python files below `path`, or just `path` if it is a file.

    Hidden directories and virtual environments below it hold other people's code and are passed over, and so are
    directories with a name in `left_out`. Links to directories are not followed: they may lead in a circle.
    """
    root = os.path.abspath(path)
    if not os.path.isdir(root):
        tree = Tree(os.path.dirname(root), [], [])
        tree.take(os.path.basename(root), package_above(tree.root))
        return tree
    tree = Tree(root, [], [])

    def unreadable(error: OSError) -> None:
        tree.problems.append((os.path.relpath(error.filename, root), reason_of(error)))

    packages = {root: package_above(root)}
    for directory, below, names in os.walk(root, onerror=unreadable):
        package = packages.pop(directory)
        below[:] = sorted(name for name in below if name not in left_out and not is_foreign(directory, name))
        for name in below:
            inner = os.path.join(directory, name)
            packages[inner] = (package or name) if is_package(inner) else None
        for name in sorted(names):
            if name.endswith(SUFFIXES):
                tree.take(os.path.relpath(os.path.join(directory, name), root), package)
    return tree


def reason_of(error: Exception) -> str:
    """Say in a few words why a file could not be counted."""
    if isinstance(error, OSError):
        return f"unreadable: {error.strerror or error}"
    if isinstance(error, SyntaxError):
        place = f"line {error.lineno}: " if error.lineno else ""
        return f"broken: {place}{error.msg}"
    if isinstance(error, (RecursionError, MemoryError)):  # the parser reports its full stack as a MemoryError
        return "too deeply nested or too large for the parser"
    return f"broken: {error}"


def is_package(directory: str) -> bool:
    return os.path.exists(os.path.join(directory, "__init__.py"))


def is_foreign(directory: str, name: str) -> bool:
    return name.startswith(".") or os.path.exists(os.path.join(directory, name, "pyvenv.cfg"))


def package_above(directory: str) -> str | None:
    """The top-level package that the files of a directory belong to, or None if each is a module of its own."""
    package = None
    while is_package(directory) and os.path.basename(directory):  # the root of the file system has no name
        directory, package = os.path.split(directory)
    return package
