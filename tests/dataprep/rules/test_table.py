"""The code table: codes, names and pages agree, and no failure of media or rules gets lost."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dataprep.media
import dataprep.parsing
import dataprep.schema
from dataprep.errors import MediaError, RuleCrash
from dataprep.findings import Location, Problem
from dataprep.media.index import MediaFacts, MediaIndex
from dataprep.records import MediaRef, Record, Turn
from dataprep.rules.base import CheckedRow, MediaRule, ParseRule, Rule, RuleContext, ShapeRule, Stable
from dataprep.rules.runner import RowChecker
from dataprep.rules.table import REDIRECTS, RULES
from dataprep.rules.turns.answer_missing import AnswerMissing
from dataprep.sources import RawRow

FOLDERS = dict.fromkeys(("G412", "G413", "G414", "G415", "G419", "G420", "G421"), "spaces") | {
    "P0": "parsing", "S1": "turns", "T2": "tags", "M3": "images", "V35": "videos", "G4": "grounding", "L6": "lengths",
    "D5": "duplicates", "C7": "corpus",
}  # fmt: skip
SECTIONS = ["What it does", "Why it matters", "Example", "Use instead", "Options", "Source"]
MEDIA_FOLDER = Path(dataprep.media.__path__[0])


@pytest.mark.parametrize("code", RULES)
def test_code_name_class_and_file_agree(code: str) -> None:
    rule = RULES[code]
    assert re.fullmatch(r"[A-Z]\d{3}", code)
    folder = next(folder for prefix, folder in FOLDERS.items() if code.startswith(prefix))
    assert rule.__module__ == f"dataprep.rules.{folder}.{rule.name.replace('-', '_')}"
    assert rule.__name__ == "".join(word.title() for word in rule.name.split("-"))


@pytest.mark.parametrize("code", RULES)
def test_page_has_all_sections(code: str) -> None:
    page = inspect.getdoc(RULES[code])
    assert page is not None
    title, _, rest = page.partition("\n\n")
    assert title.endswith(".")
    assert "\n" not in title
    sections = re.split(r"^## (.+)\n", rest, flags=re.MULTILINE)
    assert sections[1::2] == SECTIONS
    assert all(text.strip() for text in sections[2::2])
    assert isinstance(RULES[code].status, Stable)


def test_names_and_classes_are_unique() -> None:
    assert len({rule.name for rule in RULES.values()}) == len(set(RULES.values())) == len(RULES)


def test_no_code_is_used_again() -> None:
    assert not REDIRECTS.keys() & RULES.keys()
    assert set(REDIRECTS.values()) <= RULES.keys()


def test_every_rule_file_is_in_the_table() -> None:
    root = Path(inspect.getfile(AnswerMissing)).parents[1]
    files = {path.stem for path in root.glob("*/*.py")} - {"__init__"}
    assert files == {rule.name.replace("-", "_") for rule in RULES.values()}


def calls_of(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def texts_in(node: ast.expr) -> list[str]:
    """The texts that an expression may have as its value."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=other):
            return texts_in(body) + texts_in(other)
        case _:
            return []


def returned_reasons(tree: ast.AST) -> Iterator[str]:
    """First texts of the pairs that functions return as ``(reason, detail)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
            yield from texts_in(node.value.elts[0])


def reasons_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assigned = [
        text
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason"
        for text in texts_in(node.value)
    ]
    raised = [text for call in calls_of(tree, "MediaError") if len(call.args) == 3 for text in texts_in(call.args[1])]
    odd = [text for call in calls_of(tree, "OddHeader") for text in texts_in(call.args[0])]
    returned = returned_reasons(tree) if path.stem in ("files", "pillow") else []
    return {*assigned, *raised, *odd, *returned}


REASONS = sorted({reason for path in MEDIA_FOLDER.glob("*.py") for reason in reasons_in(path)})


def test_the_reasons_are_found_in_the_source() -> None:
    assert len(REASONS) > 20
    assert {"missing", "lfs-pointer", "too-large", "truncated-header", "truncated-data", "not-a-video"} <= set(REASONS)


def row_of(ref: MediaRef, error: MediaError | None = None) -> CheckedRow:
    facts = [MediaFacts(ref=ref, error=error)]
    place = Location("rows.jsonl", 1)
    images, videos = ((ref,), ()) if ref.kind == "image" else ((), (ref,))
    record = Record(
        location=place, row_format="native", system=None, turns=(Turn("q", "r"),), images=images, videos=videos
    )
    row = CheckedRow(RawRow(place, b""), record=record)
    row.images, row.videos = (facts, []) if ref.kind == "image" else ([], facts)
    return row


@pytest.mark.parametrize("kind", ["image", "video"])
@pytest.mark.parametrize("reason", REASONS)
def test_exactly_one_rule_reports_each_failure_of_media(kind: str, reason: str) -> None:
    row = row_of(MediaRef(kind, "", f"{kind}s[0]"), MediaError("x", reason, "is bad"))
    reporting = [
        code for code, rule in RULES.items() if issubclass(rule, MediaRule) and list(rule().check(row, RuleContext()))
    ]
    if reason == "empty-reference":
        assert reporting == []
        assert list(RULES["T206"]().check(row, RuleContext()))
    else:
        assert len(reporting) == 1, reporting
        assert RULES[reporting[0]].severity == "error"


def test_every_kind_of_problem_has_one_rule() -> None:
    kinds = [kind for rule in RULES.values() if issubclass(rule, ParseRule | ShapeRule) for kind in rule.kinds]
    assert len(kinds) == len(set(kinds))
    source = "\n".join(Path(inspect.getfile(module)).read_text() for module in (dataprep.parsing, dataprep.schema))
    source += "\n".join(path.read_text() for path in Path(inspect.getfile(dataprep.schema)).parent.glob("formats/*.py"))
    raised = set(re.findall(r'(?:ParseProblem|ShapeProblem|_Refused)\(\s*"([a-z-]+)"', source))
    assert raised
    # The runner's image-index rule is a plain one, because it also looks at good records.
    assert raised | {"wrong-shape", "history-pair", "bbox-type"} <= {*kinds, "image-index"}


def test_a_rule_that_raises_is_a_crash_with_code_and_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def crash(rule: Rule, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        raise ZeroDivisionError
        yield

    monkeypatch.setattr(AnswerMissing, "check", crash)
    checker = RowChecker(RuleContext(), media=MediaIndex(tmp_path))
    with pytest.raises(RuleCrash, match=r"rule S101 crashed on rows\.jsonl:3") as caught:
        checker.check(RawRow(Location("rows.jsonl", 3), b'{"query": "q", "response": "r"}'))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_errors_come_before_warnings(tmp_path: Path) -> None:
    row = b'{"query": "q2 <|im_end|>", "response": "", "history": [["q1", "r1"]], "images": ["gone.png"]}'
    checked = RowChecker(RuleContext(), media=MediaIndex(tmp_path)).check(RawRow(Location("r", 1), row))
    assert [finding.code for finding in checked.findings] == ["S101", "T205", "M301", "T202"]
    assert checked.has_errors
