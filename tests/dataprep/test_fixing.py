"""Mending: new files, nothing lost, byte for byte where nothing is mended, and nothing left to mend afterwards."""

from __future__ import annotations

import codecs
import gzip
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataprep import lint
from dataprep.baseline import Baseline, BaselineEntry
from dataprep.config import LintConfig, RuleConfig
from dataprep.errors import ConfigError
from dataprep.findings import Edit, Fix, Problem
from dataprep.fixing import MOST_ROUNDS, FixSummary, diff_lines, fix_file, fixed_path_of, ledger_path_of, spell
from dataprep.records import hash_row
from dataprep.rules.base import CheckedRow, Rule, RuleContext
from dataprep.rules.table import RULES
from tests.dataprep.conversions import text_row, write_png, write_rows

Make = Callable[[CheckedRow], Fix | None]


def rename(old: str, new: str, *, is_safe: bool = True) -> Make:
    def make(row: CheckedRow) -> Fix | None:
        if row.value is None or old not in row.value:
            return None
        edits = (Edit(path=(new,), value=row.value[old]), Edit(path=(old,), removes=True))
        return Fix(label=f"rename {old} to {new}", is_safe=is_safe, edits=edits)

    return make


def drop(row: CheckedRow) -> Fix | None:
    has_answer = row.value is None or row.value.get("response")
    return None if has_answer else Fix(label="leave the row out", is_safe=False, drops_row=True)


def close(row: CheckedRow) -> Fix | None:
    if row.parse_problem is None or row.raw.text.endswith(b"}"):
        return None
    return Fix(label="close the row", is_safe=True, text=row.raw.text + b'"}')


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Make], None]:
    """Let a rule say what is to be mended, and nothing else."""

    def patch_rule(code: str, make: Make) -> None:
        def check(rule: Rule, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
            fix = make(row)
            if fix is not None:
                yield Problem(message="something is wrong", fix=fix)

        monkeypatch.setattr(RULES[code], "check", check)

    return patch_rule


def mend(source: object, *, unsafe: bool = False, baseline: Baseline | None = None, **options: Any) -> FixSummary:
    fixed = options.pop("fixed_path", None)
    config = LintConfig(level=1, **options)
    return fix_file(str(source), config, unsafe=unsafe, baseline=baseline or Baseline(), fixed_path=fixed)


def read(summary: FixSummary) -> list[bytes]:
    assert summary.fixed_path is not None
    return summary.fixed_path.read_bytes().splitlines(keepends=True)


def read_ledger(summary: FixSummary) -> list[dict[str, Any]]:
    assert summary.ledger_path is not None
    return [json.loads(line) for line in summary.ledger_path.read_text(encoding="utf-8").splitlines()]


def test_a_fix_makes_a_new_file_and_a_ledger(tmp_path: Path, patch: Any) -> None:
    patch("S103", rename("imgs", "images"))
    odd = b'{"response" : "r",\t"query":"\\u00e4", "x": 1.50e2}'
    source = tmp_path / "rows.jsonl"
    source.write_bytes(odd + b'\r\n\n{"query": "q", "response": "r", "imgs": null}\n{"query": "q", "response": "r"}')
    before = source.read_bytes()
    summary = mend(source)
    assert source.read_bytes() == before
    assert summary.fixed_path == tmp_path / "rows.fixed.jsonl"
    assert read(summary) == [
        odd + b"\n",
        b'{"query": "q", "response": "r", "images": null}\n',
        b'{"query": "q", "response": "r"}\n',
    ]
    assert (summary.rows, summary.dropped, summary.by_code) == (1, 0, {"S103": 1})
    row = {"query": "q", "response": "r"}
    assert read_ledger(summary) == [
        {
            "path": str(source),
            "line": 3,
            "fixed_line": 2,
            "code": "S103",
            "label": "rename imgs to images",
            "safe": True,
            "before": hash_row(row | {"imgs": None}).hex(),
            "after": hash_row(row | {"images": None}).hex(),
        }
    ]


def test_a_second_run_has_nothing_to_mend_and_writes_nothing(tmp_path: Path, patch: Any) -> None:
    patch("S103", rename("imgs", "images"))
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1) | {"imgs": None}, text_row(2)])
    fixed = mend(source).fixed_path
    assert fixed is not None
    again = mend(fixed)
    assert (again.fixed_path, again.ledger_path, again.rows) == (None, None, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rows.fixed.jsonl", "rows.fixed.jsonl.ledger", "rows.jsonl"
    ]  # fmt: skip
    assert "S103" not in lint([str(fixed)]).by_code


def test_fixes_follow_one_another_until_nothing_is_left(tmp_path: Path, patch: Any) -> None:
    patch("P001", close)
    patch("S103", rename("a", "b"))
    patch("S104", rename("b", "c"))
    source = write_rows(tmp_path / "rows.jsonl", ['{"query": "q", "a": 1, "response": "r'])
    summary = mend(source)
    assert read(summary) == [b'{"query": "q", "response": "r", "c": 1}\n']
    assert [entry["code"] for entry in read_ledger(summary)] == ["P001", "S103", "S104"]


def test_fixes_that_undo_one_another_end(tmp_path: Path, patch: Any) -> None:
    patch("S103", rename("a", "b"))
    patch("S104", rename("b", "a"))
    source = write_rows(tmp_path / "rows.jsonl", [{"query": "q", "response": "r", "a": 1}])
    summary = mend(source)
    assert read(summary) == [b'{"query": "q", "response": "r", "b": 1}\n']


def test_a_fix_that_never_ends_is_ended(tmp_path: Path, patch: Any) -> None:
    def grow(row: CheckedRow) -> Fix | None:
        if row.value is None:
            return None
        return Fix(label="grow", is_safe=True, edits=(Edit(path=("query",), value=f"{row.value['query']}x"),))

    patch("S103", grow)
    source = write_rows(tmp_path / "rows.jsonl", [{"query": "", "response": "r"}])
    assert json.loads(read(mend(source))[0])["query"] == "x" * MOST_ROUNDS


def test_unsafe_fixes_are_applied_only_when_asked_for(tmp_path: Path, patch: Any) -> None:
    patch("S101", drop)
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1), {"query": "q"}, text_row(2)])
    assert mend(source).fixed_path is None
    summary = mend(source, unsafe=True)
    assert read(summary) == [json.dumps(text_row(n)).encode() + b"\n" for n in (1, 2)]
    assert (summary.rows, summary.dropped) == (1, 1)
    (entry,) = read_ledger(summary)
    assert (entry["line"], entry["fixed_line"], entry["after"], entry["safe"]) == (2, None, None, False)


def test_rules_that_do_not_run_and_accepted_findings_mend_nothing(tmp_path: Path, patch: Any) -> None:
    patch("S103", rename("imgs", "images"))
    row = text_row(1) | {"imgs": None}
    source = write_rows(tmp_path / "rows.jsonl", [row])
    assert mend(source, rules=RuleConfig(ignore=("S103",))).fixed_path is None
    accepted = Baseline(entries=frozenset({BaselineEntry("S103", row=hash_row(row).hex())}))
    assert mend(source, baseline=accepted).fixed_path is None
    assert mend(source).fixed_path is not None


def test_arrays_and_packed_files_become_lines(tmp_path: Path, patch: Any) -> None:
    patch("S103", rename("imgs", "images"))
    array = tmp_path / "rows.json"
    array.write_text(json.dumps([text_row(1) | {"n": [1.50, 2]}, text_row(2) | {"imgs": None}], indent=2))
    lines = read(mend(array))
    assert [json.loads(line) for line in lines] == [text_row(1) | {"n": [1.5, 2]}, text_row(2) | {"images": None}]
    packed = tmp_path / "more.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(text_row(3) | {"imgs": None}).encode()))
    assert mend(packed).fixed_path == tmp_path / "more.fixed.jsonl"


def test_a_byte_order_mark_stays_with_a_row_that_is_copied(tmp_path: Path, patch: Any) -> None:
    patch("S103", rename("imgs", "images"))
    patch("P006", lambda row: None)
    source = tmp_path / "rows.jsonl"
    rows = [json.dumps(text_row(1)).encode(), json.dumps(text_row(2) | {"imgs": None}).encode()]
    source.write_bytes(codecs.BOM_UTF8 + b"\n".join(rows))
    assert read(mend(source))[0] == codecs.BOM_UTF8 + rows[0] + b"\n"
    source.write_bytes(codecs.BOM_UTF8 + b"\n".join(reversed(rows)))
    assert read(mend(source))[0].startswith(b"{")


def take_out_mark(row: CheckedRow) -> Fix | None:
    if not row.raw.starts_with_bom:
        return None
    return Fix(label="take out the byte order mark", is_safe=True, text=row.raw.text)


def test_a_byte_order_mark_can_be_taken_out(tmp_path: Path, patch: Any) -> None:
    patch("P006", take_out_mark)
    source = tmp_path / "rows.jsonl"
    source.write_bytes(codecs.BOM_UTF8 + json.dumps(text_row(1)).encode())
    assert read(mend(source)) == [json.dumps(text_row(1)).encode() + b"\n"]


def test_two_workers_mend_the_same(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(number) for number in range(1200)])
    assert mend(source, jobs=2) == mend(source)


@pytest.mark.parametrize(
    ("row", "like", "expected"),
    [
        ({"a": "ä", "b": 1}, b'{"a": "x"}', '{"a": "ä", "b": 1}'),
        ({"a": "ä", "b": 1}, b'{"a":"x"}', '{"a":"ä","b":1}'),
        ({"a": "ä"}, b'{"a":"\\u00e4"}', '{"a":"\\u00e4"}'),
        ({"a": "\ud800"}, b"{}", '{"a":"\\ud800"}'),
    ],
)
def test_a_mended_row_is_spelled_as_it_was(row: object, like: bytes, expected: str) -> None:
    assert spell(row, like) == expected.encode()


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.ndjson", "rows.jsonl.gz", "rows.json.zst"])
def test_names_of_new_files(name: str) -> None:
    fixed = fixed_path_of(f"data/{name}")
    assert fixed == Path("data/rows.fixed.jsonl")
    assert ledger_path_of(fixed) == Path("data/rows.fixed.jsonl.ledger")


def test_the_data_file_is_never_written_to(tmp_path: Path, patch: Any) -> None:
    patch("S103", rename("imgs", "images"))
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1) | {"imgs": None}])
    link = tmp_path / "link.jsonl"
    link.symlink_to(source)
    hard = tmp_path / "hard.jsonl"
    hard.hardlink_to(source)
    for name in (source, link, hard):
        with pytest.raises(ConfigError, match="is the data file itself; name another file with --fixed-out"):
            mend(source, fixed_path=Path(name))
    assert "imgs" in Path(source).read_text()


def test_a_crash_leaves_nothing_behind(tmp_path: Path, patch: Any) -> None:
    def crash(row: CheckedRow) -> Fix | None:
        if row.raw.location.line == 2:
            raise KeyboardInterrupt
        return rename("imgs", "images")(row)

    patch("S103", crash)
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1) | {"imgs": None}, text_row(2)])
    with pytest.raises(KeyboardInterrupt):
        mend(source)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs the command patch")
def test_the_diff_is_what_patch_makes_of_the_file(tmp_path: Path, patch: Any) -> None:
    patch("S101", drop)
    patch("S103", rename("imgs", "images"))
    rows: list[Any] = [text_row(1), {"query": "q"}, text_row(2) | {"imgs": None}, text_row(3), {"query": "z"}]
    source = Path(write_rows(tmp_path / "rows.jsonl", rows))
    config = LintConfig(level=1)
    diff = b"".join(diff_lines(str(source), config, unsafe=True, baseline=Baseline()))
    assert diff.decode().splitlines() == [
        f"--- {source}", f"+++ {fixed_path_of(str(source))}",
        "@@ -2 +1,0 @@", '-{"query": "q"}',
        "@@ -3 +2 @@", f"-{json.dumps(rows[2])}", f"+{json.dumps(text_row(2) | {'images': None})}",
        "@@ -5 +3,0 @@", '-{"query": "z"}',
    ]  # fmt: skip
    patched = tmp_path / "patched.jsonl"
    done = subprocess.run(["patch", "-o", str(patched), str(source)], input=diff, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert patched.read_bytes() == b"".join(read(mend(source, unsafe=True)))
    assert list(diff_lines(str(fixed_path_of(str(source))), config, unsafe=True, baseline=Baseline())) == []


def rows_of_all_rules() -> list[bytes]:
    """The rows that the rules' own cases say are bad, as far as they fit on one line."""
    rows = []
    for path in sorted((Path(__file__).parent / "rules" / "cases").glob("*.yaml")):
        for case in yaml.safe_load(path.read_text(encoding="utf-8")).get("fail", []):
            if "row" in case:
                rows.append(json.dumps(case["row"], ensure_ascii=False).encode("utf-8", "surrogatepass"))
            elif "text" in case and "\n" not in case["text"].strip():
                rows.append(case["text"].strip().encode())
            elif "hex" in case and b"\n" not in bytes.fromhex(case["hex"]):
                rows.append(bytes.fromhex(case["hex"]))
    return [row for row in rows if row.strip()]


@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
def test_a_second_run_over_the_rows_of_all_rules_has_nothing_to_mend(tmp_path: Path, unsafe: bool) -> None:
    for name, size in (("a.png", (40, 30)), ("b.png", (20, 20))):
        write_png(tmp_path / name, (200, 60, 20), size)
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b"".join(row + b"\n" for row in rows_of_all_rules()))
    config = LintConfig()
    first = fix_file(str(source), config, unsafe=unsafe, baseline=Baseline())
    assert len(first.by_code) >= 8
    assert first.fixed_path is not None
    again = fix_file(str(first.fixed_path), config, unsafe=unsafe, baseline=Baseline())
    assert again.by_code == {}, again.by_code
    left = lint([str(first.fixed_path)], config)
    assert not [f for f in left.findings if f.fix is not None and (f.fix.is_safe or unsafe)]
    kept = len(source.read_bytes().splitlines()) - first.dropped
    assert len(first.fixed_path.read_bytes().splitlines()) == kept == left.num_rows
