"""A second run says what the first one said, byte for byte, and sees whatever has changed."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataprep import linting, report_cache
from dataprep.config import FORMATS, LintConfig
from dataprep.linting import lint
from tests.dataprep.conversions import TOKENIZER, data_uri, encode_png, image_row, text_row, write_png, write_rows

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files that were just written for files that nobody is writing."""
    monkeypatch.setattr(report_cache, "_SETTLED_NS", -(10**12))


@pytest.fixture
def no_more_checks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make every run fail from now on that is not remembered."""

    def forbid() -> None:
        def refuse(*arguments: Any) -> None:
            raise AssertionError("rows were checked")

        monkeypatch.setattr(linting, "_check_files", refuse)

    return forbid


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that reports are remembered in."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dataprep" / "reports"


@pytest.fixture
def rows(tmp_path: Path, reports: Path) -> str:
    """Rows with findings of many rules: in text, boxes, media, and about the whole."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(3):
        write_png(folder / f"{number}.png", (number, 2, 3))
    (folder / "cut.png").write_bytes(encode_png((1, 2, 3))[:50])
    box = {"caption": "dog", "bbox": [0, 0, 90, 90], "bbox_type": "real", "image": 0}
    return write_rows(
        folder / "rows.jsonl",
        [
            *map(text_row, range(3)),
            text_row(1),
            image_row("0.png"),
            image_row("1.png", query="<imag>What?"),
            image_row("2.png") | {"imgs": [1.0, 2], "objects": [box]},
            image_row("cut.png"),
            image_row(data_uri(encode_png((5, 5, 5)))),
            '{"query": "a", "query": "b", "response": "c"}',
            '{"query": "cut',
        ],
    )


def test_formats_say_the_same_twice(rows: str, call: Call, no_more_checks: Callable[[], None]) -> None:
    options = ("--level", "3", "--for", "internvl2-2b")
    first = {name: call("lint", rows, "--format", name, "--no-cache", *options) for name in FORMATS}
    call("lint", rows, *options)
    no_more_checks()
    for name in FORMATS:
        assert _without_times(call("lint", rows, "--format", name, *options)) == _without_times(first[name]), name
    assert first["text"][1].count("\n") > 20


def _without_times(said: tuple[int, str, str]) -> tuple[int, str, str]:
    return said[0], re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+", "TIME", said[1]), said[2]


def test_statistics_and_exit_codes_are_the_same(rows: str, call: Call, no_more_checks: Callable[[], None]) -> None:
    variants = [("--statistics",), ("--fail-on", "never"), ("--exit-zero",), ("--format", "json", "--statistics")]
    first = [call("lint", rows, "--no-cache", *options) for options in variants]
    call("lint", rows)
    no_more_checks()
    assert [call("lint", rows, *options) for options in variants] == first


def test_the_report_itself_is_the_same(rows: str, no_more_checks: Callable[[], None]) -> None:
    val = write_rows(Path(rows).with_name("val.jsonl"), [text_row(1)])
    config = LintConfig(level=4, model_type="internvl2-2b", model=TOKENIZER, val=(val,), sample=10)
    taken: list[list[Any]] = [[], []]
    first = lint([rows], config, on_findings=taken[0].append)
    no_more_checks()
    counted: list[int] = []
    second = lint([rows], config, on_findings=taken[1].append, progress=counted.append)
    assert second == first
    assert taken[0] == taken[1]
    assert first.budget is not None
    assert first.sampled_from == 12
    assert any(finding.fix is not None for finding in first.findings)
    assert sum(counted) == first.num_rows


def test_two_processes_leave_the_same_behind(rows: str, no_more_checks: Callable[[], None]) -> None:
    first = lint([rows], LintConfig(jobs=2))
    no_more_checks()
    assert lint([rows], LintConfig()) == first


def edit_row(folder: Path) -> None:
    path = folder / "rows.jsonl"
    path.write_text(path.read_text().replace("<imag>", "<image><image>"))


def edit_image(folder: Path) -> None:
    content = encode_png((0, 2, 3))
    (folder / "0.png").write_bytes(content[:50])


def mend_image(folder: Path) -> None:
    write_png(folder / "cut.png", (1, 2, 3))


def remove_image(folder: Path) -> None:
    (folder / "1.png").unlink()


def link_image_away(folder: Path) -> None:
    (folder / "2.png").rename(folder.parent / "2.png")
    (folder / "2.png").symlink_to(folder.parent / "2.png")


@pytest.mark.parametrize("change", [edit_row, edit_image, mend_image, remove_image, link_image_away])
def test_a_change_of_files_is_seen(rows: str, change: Callable[[Path], None]) -> None:
    first = lint([rows])
    assert lint([rows]) == first
    change(Path(rows).parent)
    changed = lint([rows])
    assert changed != first
    assert changed == lint([rows], LintConfig(no_cache=True))


@pytest.mark.parametrize(
    "options",
    [{"level": 1}, {"model_type": "internvl-chat-v1_5"}, {"media_root": Path("/")}, {"video_frames": 4}, {"sample": 2},
     {"max_findings": 100}, {"val": ("rows.jsonl",)}, {"allow_outside_root": True}, {"exif": "apply"}],
)  # fmt: skip
def test_every_option_makes_another_run(
    rows: str, options: dict[str, Any], no_more_checks: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(rows).parent)
    lint([rows])
    no_more_checks()
    lint([rows])
    with pytest.raises(AssertionError, match="rows were checked"):
        lint([rows], LintConfig(**options))


def test_the_same_rows_from_elsewhere_are_another_run(
    rows: str, no_more_checks: Callable[[], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lint([rows])
    no_more_checks()
    for place, name in ((tmp_path, rows), (tmp_path / "data", "rows.jsonl")):
        monkeypatch.chdir(place)
        with pytest.raises(AssertionError, match="rows were checked"):
            lint([name])


def test_missing_media_are_remembered_until_they_come(rows: str, no_more_checks: Callable[[], None]) -> None:
    folder = Path(rows).parent
    source = write_rows(folder / "gone.jsonl", [image_row("gone.png"), image_row("00.png"), image_row("0.png")])
    first = lint([source])
    assert [finding.code for finding in first.findings] == ["M301", "M301"]
    assert lint([source]) == first
    write_png(folder.parent / "gone.png", (1, 2, 3))  # under another root, which the help tells of
    second = lint([source])
    assert "--media-root" in str(second.findings[0].help)
    assert lint([source]) == second
    (folder.parent / "gone.png").rename(folder / "gone.png")
    third = lint([source])
    assert len(third.findings) == 1
    no_more_checks()
    assert lint([source]) == third


def test_a_changed_baseline_is_seen(rows: str, call: Call, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    call("lint", rows, "--baseline", baseline, "--update-baseline")
    accepted = call("lint", rows, "--baseline", baseline)
    assert call("lint", rows, "--baseline", baseline) == accepted
    content = json.loads(baseline.read_text())
    content["entries"] = content["entries"][1:]
    baseline.write_text(json.dumps(content))
    changed = call("lint", rows, "--baseline", baseline)
    assert changed != accepted
    assert changed == call("lint", rows, "--baseline", baseline, "--no-cache")
    baseline.unlink()
    assert call("lint", rows, "--baseline", baseline)[0] == 2


def test_a_changed_options_file_is_seen(rows: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(rows).parent
    monkeypatch.chdir(folder)
    first = call("lint", rows)
    (folder / "dataprep.toml").write_text('[lint]\nignore = ["P"]\n')
    second = call("lint", rows)
    assert second != first
    (folder / "dataprep.toml").write_text('[lint]\nignore = ["P", "M"]\n')
    assert call("lint", rows) not in (first, second)


def test_a_changed_tokenizer_is_seen(rows: str, tmp_path: Path, no_more_checks: Callable[[], None]) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for path in TOKENIZER.iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    config = LintConfig(model_type="internvl2-2b", model=model)
    lint([rows], config)
    no_more_checks()
    lint([rows], config)
    (model / "tokenizer_config.json").touch()
    with pytest.raises(AssertionError, match="rows were checked"):
        lint([rows], config)


def test_another_release_trusts_nothing(
    rows: str, monkeypatch: pytest.MonkeyPatch, no_more_checks: Callable[[], None], tmp_path: Path
) -> None:
    lint([rows])
    no_more_checks()
    packages = tmp_path / "site-packages"
    packages.mkdir()
    for change in (
        lambda: monkeypatch.setattr(report_cache, "__version__", "99"),
        lambda: monkeypatch.syspath_prepend(packages),
        lambda: monkeypatch.setattr(report_cache, "own_file", str(Path(rows).parent / "__init__.py")),
    ):
        change()
        with pytest.raises(AssertionError, match="rows were checked"):
            lint([rows])
        monkeypatch.setattr(report_cache, "__version__", report_cache.__version__)


def test_what_is_not_remembered(rows: str, reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = write_rows(Path(rows).with_name("gone.jsonl"), [image_row("gone/gone.png")])
    named = write_rows(Path(rows).with_name(os.fsdecode(b"\xff.jsonl")), ['{"query": 1}'])  # no UTF-8
    for paths, options in (
        ([rows], {"no_cache": True}),
        ([rows], {"allow_urls": True}),
        ([rows], {"contact_sheet": tmp_path / "sheet.png"}),
        ([rows], {"max_findings": 1}),
        ([rows, gone], {}),
        ([named], {}),
    ):
        lint(paths, LintConfig(**options))
        assert not reports.exists() or not list(reports.iterdir()), options
    monkeypatch.setattr(linting, "MOST_KEPT", 3)
    lint([rows])
    assert not reports.exists() or not list(reports.glob("*.run"))


def test_files_that_changed_a_moment_ago_are_not_trusted(
    rows: str, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_cache, "_SETTLED_NS", 2_000_000_000)
    lint([rows])
    assert not reports.exists()
    now = time.time_ns()
    monkeypatch.setattr(report_cache.time, "time_ns", lambda: now + 3_000_000_000)
    lint([rows])
    assert len(list(reports.iterdir())) == 1


def test_a_pipe_is_not_remembered(tmp_path: Path, reports: Path) -> None:
    pipe = tmp_path / "rows.jsonl"
    os.mkfifo(pipe)
    assert report_cache.ReportCache.of_run([str(pipe)], [], LintConfig()) is None
    assert report_cache.ReportCache.of_run(["-"], [], LintConfig()) is None


def test_a_damaged_report_is_made_anew(rows: str, reports: Path) -> None:
    first = lint([rows])
    (path,) = reports.iterdir()
    good = path.read_bytes()
    for content in (b"", good[:-1], good[:60] + b"\0" + good[61:], b"nothing of ours"):
        path.write_bytes(content)
        assert lint([rows]) == first
        assert path.read_bytes()[-100:] == good[-100:]


def test_old_reports_go(rows: str, reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_cache, "_MOST_RUNS", 3)
    for level in (0, 1, 2, 3):
        lint([rows], LintConfig(level=level))
        lint([rows], LintConfig(level=0))
        for number, path in enumerate(sorted(reports.iterdir(), key=lambda path: path.stat().st_mtime_ns)):
            os.utime(path, ns=(number, number))
    assert len(list(reports.iterdir())) == 3
    monkeypatch.setattr(linting, "_check_files", None)
    for level in (0, 2, 3):
        lint([rows], LintConfig(level=level))
    with pytest.raises(TypeError):
        lint([rows], LintConfig(level=1))


def test_reports_are_bounded_in_bytes(rows: str, reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lint([rows])
    size = sum(path.stat().st_size for path in reports.iterdir())
    monkeypatch.setattr(report_cache, "_MOST_BYTES", size + 10)
    lint([rows], LintConfig(level=3))
    assert len(list(reports.iterdir())) <= 1
    monkeypatch.setattr(report_cache, "_MOST_BYTES_OF_RUN", 10)
    before = set(reports.iterdir())
    lint([rows], LintConfig(level=1))
    assert set(reports.iterdir()) == before


def test_a_folder_that_cannot_be_written_is_said_once(
    rows: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    report = lint([rows], LintConfig(level=1, cache=tmp_path / "file" / "folder"))
    assert report.num_rows == 11
    assert "--cache" in caplog.text
