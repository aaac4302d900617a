"""How fast lint is, as ratios against peers in the same run: ``python -m benchmarks.lint [--rows N] [--images N]``.

Peers: a bare typed parse of the same bytes (msgspec), jsonschema row by row, ``PIL.Image.open(path).size``, and lint
itself with one process, or in a first run. Times are the best of three, alternating with the peer; wall clock, and
CPU time beside it, which is steadier on a busy machine. Nothing here is a test.

One and two processes are compared as whole commands, start included, and by what as many rows again cost, which leaves
the start out. The limit is what two processes could reach if all but the start were halved.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from benchmarks.lint_workloads import WORKLOADS, image_rows, text_rows, write_images, write_rows
from dataprep.config import LintConfig
from dataprep.linting import lint
from dataprep.media.index import MediaIndex
from dataprep.records import MediaRef
from schemas import load_schema

ROUNDS = 3
_SCHEMA_ROWS = 3_000
_EXIF_ORIENTATION = 0x112
_FEW_ROWS = 500  # enough to load what many rows need
_MAIN = "from dataprep.cli import main; main()"
_SETTLED_S = 2.5


class _Object(msgspec.Struct):
    caption: str
    bbox: list[float]
    bbox_type: str
    image: int


class _TextRow(msgspec.Struct):
    query: str
    response: str


class _GroundingRow(msgspec.Struct):
    query: str
    response: str
    images: list[str]
    objects: list[_Object]


class _MixedRow(msgspec.Struct):
    query: str
    response: str
    images: list[str] | None = None
    objects: list[_Object] | None = None


ROW_TYPES: dict[str, type] = {"text": _TextRow, "grounding": _GroundingRow, "mixed": _MixedRow}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the result: what was measured, the rate of both sides, their ratio, and what it should be."""

    name: str
    ours: str
    peer: str
    ratio: float
    target: str
    cpu_ratio: float | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large workloads")
    parser.add_argument("--images", type=int, nargs="*", default=[2_000, 20_000], help="numbers of JPEG files")
    parser.add_argument("--photographs", type=Path, help="folder of real JPEG files to copy; noise without it")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--folder", type=Path, help="where to write the workloads; a temporary folder without it")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        os.environ["XDG_CACHE_HOME"] = str(Path(name) / "cache")
        lines = [*_rows(Path(name), options.rows), *_whole_processes(Path(name), options.rows)]
        for count in options.images:
            lines += _images(Path(name) / f"images-{count}", count, options.photographs)
    _print(lines)
    if options.json:
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=2) + "\n", encoding="utf-8")


def best(
    *functions: Callable[[], object], rounds: int | None = None, clock: Callable[[], float] = time.process_time
) -> list[tuple[float, float]]:
    """Return the smallest wall and CPU seconds of each function; they take turns."""
    times: list[list[tuple[float, float]]] = [[] for _ in functions]
    for _ in range(rounds or ROUNDS):
        for function, taken in zip(functions, times, strict=True):
            wall, cpu = time.perf_counter(), clock()
            function()
            taken.append((time.perf_counter() - wall, clock() - cpu))
    return [(min(wall for wall, _ in taken), min(cpu for _, cpu in taken)) for taken in times]


def _parse(path: Path, row_type: type) -> int:
    decode, count = msgspec.json.Decoder(row_type).decode, 0
    with path.open("rb") as file:
        for line in file:
            decode(line)
            count += 1
    return count


def _validate(path: Path) -> None:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    part: Resource[Any] = Resource.from_contents(load_schema("object"))
    registry: Registry[Any] = Registry().with_resource("dataprep:object", part)
    validator = Draft202012Validator(load_schema("row.native"), registry=registry)
    with path.open("rb") as file:
        for _, line in zip(range(_SCHEMA_ROWS), file, strict=False):
            assert validator.is_valid(json.loads(line))


def _rows(folder: Path, count: int) -> list[Line]:
    """Levels 0 and 1 against a typed parse, the schema, and two processes; fewer rows for the slowest of these."""
    lines = []
    for name, make in WORKLOADS.items():
        path = folder / f"{name}.jsonl"
        write_rows(path, make(count))

        def check(path: Path = path) -> None:
            report = lint([str(path)], LintConfig(level=1, no_cache=True))
            assert report.num_rows == count, report.num_rows
            assert not report.findings, report.findings[:3]

        row_type = ROW_TYPES[name]
        ours, parse = best(check, lambda path=path, row_type=row_type: _parse(path, row_type))
        (schema,) = best(lambda path=path: _validate(path), rounds=1)
        rate, schema_rate = count / ours[0], _SCHEMA_ROWS / schema[0]
        bare = f"{count / parse[0]:,.0f} rows/s parsed"
        ours_text = f"{rate:,.0f} rows/s"
        lines += [
            Line(f"{name} rows, levels 0-1", ours_text, bare, parse[0] / ours[0], ">= 0.5", parse[1] / ours[1]),
            Line(f"{name} rows, schema", ours_text, f"{schema_rate:,.0f} rows/s", rate / schema_rate, ">= 20"),
            *_two_processes(path, name, count),
        ]
    return lines


def _two_processes(path: Path, name: str, count: int) -> list[Line]:
    """One and two processes, as commands: on a few rows, on the file, and on twice as much."""
    few, again = path.with_name(f"{name}-few.jsonl"), path.with_name(f"{name}-again.jsonl")
    write_rows(few, WORKLOADS[name](_FEW_ROWS))
    again.hardlink_to(path)
    runs = [(jobs, files) for files in ([path], [path, again]) for jobs in (1, 2)]
    start, one, two, one_more, two_more = best(
        *(lambda j=j, f=f: _command(f, j) for j, f in [(1, [few]), *runs]), clock=_children_s
    )
    again.unlink()
    limit = one[0] / (start[0] + (one[0] - start[0]) / 2)
    marginal = [(one_more[i] - one[i]) / (two_more[i] - two[i]) for i in (0, 1)]
    rates = [
        f"{count / seconds:,.0f} rows/s" for seconds in (two[0], one[0], two_more[0] - two[0], one_more[0] - one[0])
    ]
    return [
        Line(f"{name} rows, -j 2, whole", rates[0], rates[1], one[0] / two[0], f"limit {limit:.2f}", one[1] / two[1]),
        Line(f"{name} rows, -j 2, as many again", rates[2], rates[3], marginal[0], "near 2", marginal[1]),
    ]


def _command(files: list[Path], jobs: int) -> None:
    command = [sys.executable, "-c", _MAIN, "lint", *map(str, files), "--level", "1", "--isolated"]
    command += ["--no-cache", "-j", str(jobs)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _whole_processes(folder: Path, count: int) -> list[Line]:
    """Peak memory at many rows, and the time of a ten-row run, as a person sees them."""
    ten = folder / "ten.jsonl"
    write_rows(ten, text_rows(10))
    start = min(_run(["lint", str(ten), "--no-cache"])[0] for _ in range(5))
    nothing = min(_run(None)[0] for _ in range(5))
    lines = [Line("ten rows, whole process", f"{start:.2f} s", f"{nothing:.2f} s (bare Python)", start, "<= 0.35 s")]
    for name in WORKLOADS:
        _, peak_mb = _run(["lint", str(folder / f"{name}.jsonl"), "--level", "1", "--no-cache"])
        lines.append(Line(f"{count:,} {name} rows, peak", f"{peak_mb:.0f} MB", "", peak_mb, "<= 400 MB"))
    return lines


def _run(arguments: list[str] | None, *, measures_memory: bool = True) -> tuple[float, float]:
    """Run the command, or bare Python, in a new process; return its seconds and its peak memory in MB, or 0."""
    code = _MAIN if arguments is not None else "pass"
    probe = "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
    probe += "assert done.returncode == 0; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    command = [sys.executable, "-c", code, *(arguments or [])]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    if arguments is None or not measures_memory:
        return seconds, 0.0
    measured = subprocess.run([sys.executable, "-c", probe, *command], check=True, capture_output=True, text=True)
    return seconds, int(measured.stdout) / 1024


def _images(folder: Path, count: int, photographs: Path | None) -> list[Line]:
    """Level 2 on images that are in the page cache, against Pillow; then level 3 and second runs."""
    write_images(folder / "images", count, photographs)
    rows = folder / "rows.jsonl"
    write_rows(rows, image_rows(count))
    paths = [str(folder / "images" / f"{number}.jpg") for number in range(count)]

    def pillow(*, orientation: bool = False) -> None:
        for path in paths:
            with Image.open(path) as image:
                assert image.size
                if orientation:
                    image.getexif().get(_EXIF_ORIENTATION)

    def check(level: int = 2, **options: Any) -> None:
        report = lint([str(rows)], LintConfig(level=level, **options))
        assert report.num_rows == count
        assert not report.num_rows_with_errors

    def look_up() -> None:
        index = MediaIndex(folder)
        for number in range(count):
            assert index.find(MediaRef("image", f"images/{number}.jpg", "images")).header is not None

    pillow()
    found, size = best(look_up, pillow)
    headers = Line(
        f"{count:,} image headers", _per_image(found, count), _per_image(size, count),
        size[0] / found[0], ">= 3", size[1] / found[1],
    )  # fmt: skip
    ours, size, both = best(lambda: check(no_cache=True), pillow, lambda: pillow(orientation=True))
    text = f"{1e6 * ours[0] / count:.1f} us/image"
    time.sleep(_SETTLED_S)  # files that have just been written are not trusted
    again = [_second_run(check, level, count) for level in (2, 3)]
    return [
        headers,
        *again,
        _second_process(rows, count),
        Line(f"{count:,} rows, level 2 whole", text, _per_image(size, count), size[0] / ours[0], "", size[1] / ours[1]),
        Line(f"{count:,} rows, against EXIF", text, _per_image(both, count), both[0] / ours[0], "", both[1] / ours[1]),
    ]


def _second_run(check: Callable[..., None], level: int, count: int) -> Line:
    """Lint twice in this process, with a new cache each time, and lint again."""
    taken: list[list[tuple[float, float]]] = [[], []]
    for _ in range(ROUNDS if level < 3 else 1):
        with tempfile.TemporaryDirectory() as cache:
            taken[0] += best(lambda cache=cache: check(level, cache=Path(cache)), rounds=1)
            taken[1] += best(lambda cache=cache: check(level, cache=Path(cache)), rounds=2)
    first, second = (tuple(map(min, zip(*times, strict=True))) for times in taken)
    return Line(
        f"{count:,} images, level {level} again", _per_image(second, count), f"{_per_image(first, count)} (first run)",
        first[0] / second[0], ">= 10", first[1] / second[1],
    )  # fmt: skip


def _second_process(rows: Path, count: int) -> Line:
    """Lint in a process of its own as a person does, twice; most of the second run is the start of Python."""
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as cache:
            for taken in times:
                taken.append(_run(["lint", str(rows), "--cache", cache], measures_memory=False)[0])
    first, second = map(min, times)
    return Line(f"{count:,} images again, whole process", f"{second:.2f} s", f"{first:.2f} s (first run)",
                first / second, "")  # fmt: skip


def _per_image(taken: tuple[float, float], count: int) -> str:
    return f"{1e6 * taken[0] / count:.1f} us/image"


def _print(lines: list[Line]) -> None:
    print(f"{'':<34}{'lint':>20}{'peer':>28}{'ratio':>9}{'CPU':>7}  target")
    for line in lines:
        cpu = f"{line.cpu_ratio:.2f}" if line.cpu_ratio is not None else ""
        print(f"{line.name:<34}{line.ours:>20}{line.peer:>28}{line.ratio:>9.2f}{cpu:>7}  {line.target}")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
