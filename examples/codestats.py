"""Count what is in a tree of Python files, on every core, and draw its import graph.

    bocpy-codestats                      the standard library of this interpreter
    bocpy-codestats ~/src/project        a tree of your own
    bocpy-codestats --compare            also count on one thread, and say how much faster the workers were

What to look at in the code:

* ``schedule_batch`` is the whole pipeline. One behavior needs no cown: it reads and parses some files. The next one
  needs the result of the first *and* the directory of packages: it runs when both are there, no callback and no queue
  in between.
* ``schedule_link`` updates the importing and the imported package in one behavior, ``@when(importer, imported)``.
  Nobody can see one end of an import without the other, and two workers that link a->b and b->a cannot deadlock.
* ``totals`` reads every package at once with ``read(...)``: readers may run side by side, so a second report could be
  taken at the same time.
* ``count_sequentially`` does the same with the same functions and without cowns. There is no lock in either version.

Files that cannot be read or parsed are named in the summary and do not stop the count.
"""

from __future__ import annotations

import argparse
import ast
import heapq
import json
import os
import sys
import sysconfig
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field

from bocpy import WORKER_COUNT, Cown, backend, read, scope, start, wait, when
from bocpy.examples._codestats_report import format_report, make_printable, progress
from bocpy.examples._codestats_tree import Source, Tree, find_sources, reason_of

LONGEST = 10
# Enough work for a behavior to make its scheduling vanish, small enough to share a tree of 30 MB out evenly.
BATCH_BYTES = 192 * 1024
# Statements that hold further statements do so in these fields; expressions hold no def, class or import.
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


@dataclass
class Package:
    """What is known of one top-level package or module; in the parallel count, the value of one cown."""

    name: str
    files: int = 0
    lines: int = 0
    functions: int = 0
    classes: int = 0
    longest: list[tuple[int, str, int, str]] = field(default_factory=list)  # (-lines, path, line, name): sorts itself
    problems: list[tuple[str, str]] = field(default_factory=list)  # (path, reason)
    imports: dict[str, int] = field(default_factory=dict)
    imported_by: dict[str, int] = field(default_factory=dict)

    def add(self, part: Package) -> None:
        """Add what one batch of files found; its imports are added by `link`, for they concern two packages."""
        self.files += part.files
        self.lines += part.lines
        self.functions += part.functions
        self.classes += part.classes
        self.longest = heapq.nsmallest(LONGEST, self.longest + part.longest)
        self.problems += part.problems


def link(importer: Package, imported: Package, times: int) -> None:
    """Add an edge of the import graph, at both of its ends."""
    importer.imports[imported.name] = importer.imports.get(imported.name, 0) + times
    imported.imported_by[importer.name] = imported.imported_by.get(importer.name, 0) + times


# --- Reading one file ------------------------------------------------------------------------------------------------


def analyze(root: str, batch: list[Source]) -> dict[str, Package]:
    """Read and parse the files of a batch: what each package in it got."""
    found: dict[str, Package] = {}
    for source in batch:
        package = found.get(source.package)
        if package is None:
            package = found[source.package] = Package(source.package)
        try:
            with open(os.path.join(root, source.path), "rb") as file:
                data = file.read()
            tree = parse(data, source.path)
        except Exception as error:  # a codec named by the file's first line may raise anything
            package.problems.append((source.path, reason_of(error)))
            continue
        package.files += 1
        package.lines += len(data.splitlines())
        survey(tree, source.path, package)
    for package in found.values():
        package.longest = heapq.nsmallest(LONGEST, package.longest)
    return found


def parse(data: bytes, path: str) -> ast.Module:
    if sys.version_info < (3, 11) and len(data) > 64 * 1024:
        # There ast.parse overflows the C stack on an expression 100,000 deep; the compiler raises RecursionError.
        with suppress(SyntaxError):  # a `return` outside of a function: only the compiler minds
            compile(data, path, "exec", dont_inherit=True)
    return ast.parse(data, path)


def survey(tree: ast.Module, path: str, package: Package) -> None:
    """Count the functions, classes and imports of a parsed file.

    Only statements are visited, and without recursion: an `elif` chain of a thousand arms is nested a thousand deep.
    """
    blocks = [(tree.body, "")]
    while blocks:
        block, prefix = blocks.pop()
        for node in block:
            kind = type(node).__name__
            if kind == "FunctionDef" or kind == "AsyncFunctionDef":
                length = node.end_lineno - node.lineno + 1
                package.functions += 1
                package.longest.append((-length, path, node.lineno, prefix + node.name))
                blocks.append((node.body, f"{prefix}{node.name}."))
            elif kind == "ClassDef":
                package.classes += 1
                blocks.append((node.body, f"{prefix}{node.name}."))
            elif kind == "Import":
                for alias in node.names:
                    note_import(package, alias.name)
            elif kind == "ImportFrom":
                if not node.level:  # a relative import stays inside its package
                    note_import(package, node.module)
            else:
                for name in BLOCKS:
                    statements = getattr(node, name, None)
                    if statements:
                        blocks.append((statements, prefix))


def note_import(package: Package, module: str) -> None:
    """Count an import of another top-level package."""
    target = module.partition(".")[0]
    if target != package.name:
        package.imports[target] = package.imports.get(target, 0) + 1


# --- Counting in parallel --------------------------------------------------------------------------------------------


def make_batches(sources: list[Source]) -> list[list[Source]]:
    """Cut the list into pieces of about equal work; neighbors stay together, for they share packages and imports."""
    batches: list[list[Source]] = []
    room = 0
    for source in sources:
        if room <= 0:
            batches.append([])
            room = BATCH_BYTES
        batches[-1].append(source)
        room -= source.size
    # The largest first: a large one at the end would keep one worker busy while the others have nothing left to do.
    return sorted(batches, key=lambda batch: -sum(source.size for source in batch))


def count_in_parallel(tree: Tree, label: str) -> dict:
    """Count on the workers; the progress bar moves whenever the oldest unfinished batch is done."""
    directory: Cown[dict[str, Cown[Package]]] = Cown({})
    with progress(len(tree.sources), label) as bar, scope():
        merged = [schedule_batch(tree.root, batch, directory) for batch in make_batches(tree.sources)]
        for files in merged:
            bar.update(files.result())
    # The scope has waited for every link too, though they were scheduled by behaviors.
    return totals(list(directory.result().values()), tree.problems).result(take=True)


def schedule_batch(root: str, batch: list[Source], directory: Cown) -> Cown[int]:
    """Parse a batch on any worker, then hand what it found to its packages; the result is the number of files."""

    @when()
    def parsed():
        return analyze(root, batch)

    @when(read(parsed), directory)
    def merged(parsed, directory):
        if parsed.exception:
            raise parsed.value
        for name, part in parsed.value.items():
            package = cown_of(directory.value, name)
            schedule_add(parsed, package, name)
            for target, times in part.imports.items():
                schedule_link(package, cown_of(directory.value, target), times)
        return len(batch)

    return merged


def cown_of(directory: dict[str, Cown[Package]], name: str) -> Cown[Package]:
    """The cown of a package; whoever needs it first makes it."""
    package = directory.get(name)
    if package is None:
        package = directory[name] = Cown(Package(name))
    return package


def schedule_add(parsed: Cown, package: Cown[Package], name: str) -> None:
    @when(read(parsed), package)
    def _(parsed, package):
        package.value.add(parsed.value[name])


def schedule_link(importer: Cown[Package], imported: Cown[Package], times: int) -> None:
    @when(importer, imported)
    def _(importer, imported):
        link(importer.value, imported.value, times)


def totals(packages: list[Cown[Package]], problems: list[tuple[str, str]]) -> Cown[dict]:
    """Sum up all packages in one behavior that reads every one of them."""

    @when(read(packages))
    def summed(packages):
        return summarize([package.value for package in packages], problems)

    return summed


# --- Counting on one thread ------------------------------------------------------------------------------------------


def count_sequentially(tree: Tree, label: str) -> dict:
    """Count with the same functions, batch by batch on this thread."""
    packages: dict[str, Package] = {}
    with progress(len(tree.sources), label) as bar:
        for batch in make_batches(tree.sources):
            for name, part in analyze(tree.root, batch).items():
                package = packages.setdefault(name, Package(name))
                package.add(part)
                for target, times in part.imports.items():
                    link(package, packages.setdefault(target, Package(target)), times)
            bar.update(len(batch))
    return summarize(list(packages.values()), tree.problems)


def summarize(packages: list[Package], problems: list[tuple[str, str]]) -> dict:
    """The whole result, sorted, so that it does not depend on which worker was first."""
    longest = heapq.nsmallest(LONGEST, [function for package in packages for function in package.longest])
    problems = sorted(problems + [problem for package in packages for problem in package.problems])
    return {
        "files": sum(package.files for package in packages),
        "lines": sum(package.lines for package in packages),
        "functions": sum(package.functions for package in packages),
        "classes": sum(package.classes for package in packages),
        "longest_functions": [
            {"lines": -length, "file": path, "line": line, "name": name} for length, path, line, name in longest
        ],
        "packages": {
            package.name: {
                "files": package.files,
                "lines": package.lines,
                "functions": package.functions,
                "classes": package.classes,
                "imports": dict(sorted(package.imports.items())),
                "imported_by": dict(sorted(package.imported_by.items())),
            }
            for package in sorted(packages, key=lambda package: package.name)
        },
        "not_counted": [{"file": path, "reason": reason} for path, reason in problems],
    }


# --- Running and reporting -------------------------------------------------------------------------------------------


def timed(count, tree: Tree, label: str) -> tuple[dict, float]:
    begin = time.perf_counter()
    stats = count(tree, label)
    return stats, time.perf_counter() - begin


def compare(tree: Tree, workers: int) -> tuple[dict, dict]:
    """Count twice each way, in an order that treats both alike; the faster run of each counts.

    The first run finds cold caches and a slow spell of the machine hits neighbors, so neither way goes first twice.
    """
    runs: dict = {count_sequentially: [], count_in_parallel: []}
    for number, count in enumerate((count_sequentially, count_in_parallel, count_in_parallel, count_sequentially), 1):
        name = "one thread" if count is count_sequentially else f"{workers} workers"
        runs[count].append(timed(count, tree, f"run {number} of 4, {name}"))
    (stats, _), (again, _) = runs[count_in_parallel]
    sequential = min(seconds for _, seconds in runs[count_sequentially])
    parallel = min(seconds for _, seconds in runs[count_in_parallel])
    equal = all(stats == other for other in (again, *(other for other, _ in runs[count_sequentially])))
    comparison = {"sequential_seconds": sequential, "speedup": sequential / parallel, "equal": equal}
    return stats, {"seconds": parallel, **comparison}


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bocpy-codestats",
        description="Count lines, functions and classes of Python files on every core, and who imports whom.",
    )
    parser.add_argument("path", nargs="?", help="a directory or a file (default: this interpreter's standard library)")
    parser.add_argument("-w", "--workers", type=int, default=WORKER_COUNT, help="how many (default: %(default)s)")
    parser.add_argument("--compare", action="store_true", help="also count on one thread and print the speed-up")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    args = parser.parse_args(argv)
    if args.workers < 1:
        parser.error(f"--workers {args.workers}: at least one worker is needed")
    if args.path is not None and not os.path.exists(args.path):
        parser.error(f"{args.path}: there is no such file or directory")
    return args


def run(args: argparse.Namespace) -> int:
    path, left_out = args.path, ()
    if path is None:
        path, left_out = sysconfig.get_path("stdlib"), ("site-packages", "dist-packages")
    tree = find_sources(path, left_out)
    start(args.workers)
    if args.compare:
        stats, run = compare(tree, args.workers)
    else:
        stats, seconds = timed(count_in_parallel, tree, "parsing")
        run = {"seconds": seconds}
    run |= {
        "workers": args.workers,
        "backend": backend(),
        "one_gil": backend() == "threads" and getattr(sys, "_is_gil_enabled", lambda: True)(),
        "files_per_second": stats["files"] / max(run["seconds"], 1e-9),
    }
    if args.json:
        print(json.dumps({"path": path, **stats, "run": run}, indent=2))
    else:
        print(format_report(path, stats, run), end="")
    return 0 if run.get("equal", True) else 1


def main(argv: list[str] | None = None) -> int:
    args = parse_arguments(argv)
    make_printable()
    # Other people's doubtful escapes are not what this program reports.
    warnings.simplefilter("ignore")
    try:
        return run(args)
    except KeyboardInterrupt:
        print("codestats: interrupted", file=sys.stderr)
        return 130  # the shell's code for a program that Ctrl-C ended
    finally:
        wait()


if __name__ == "__main__":
    sys.exit(main())
