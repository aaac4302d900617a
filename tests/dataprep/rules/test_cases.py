"""Every rule against its own rows: ``cases/CODE.yaml`` holds rows that must pass and rows that must not.

A case is a ``row`` (or the ``text`` or ``hex`` of one), ``files`` to make beside it and ``options``. ``a.png`` (40x30)
and ``b.png`` (20x20) are always there. A failing row names the finding's ``field`` and parts of its ``message``, and
in ``also`` every other code that it raises: nothing else may be said about it. ``fix`` is what the finding's fix makes
of the row (``drop`` leaves it out), ``is_safe: false`` marks fixes that guess; the mended row must be clean of it.
"""

from __future__ import annotations

import copy
import io
import json
import random
import shutil
import struct
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from dataprep.catalog import get_model_type
from dataprep.encode import Encoder, make_encoder
from dataprep.findings import Finding, Location, Severity
from dataprep.media.index import MediaIndex
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.rules.fixes import apply_fixes
from dataprep.rules.runner import FOR_CONVERSION, UP_TO_MEDIA, RowChecker
from dataprep.rules.table import RULES
from dataprep.sources import RawRow, read_rows

CASES_FOLDER = Path(__file__).parent / "cases"
GOLDENS = Path(__file__).parents[2] / "fixtures" / "goldens"
CASE_KEYS = {
    "row", "text", "hex", "nested", "source", "hex_source", "bom", "ends_file",  # the row
    "files", "options", "field", "message", "also", "fix", "is_safe",
}  # fmt: skip


def read_cases(code: str) -> dict[str, list[dict[str, Any]]]:
    path = CASES_FOLDER / f"{code}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}


ROW_RULES = [code for code, rule in RULES.items() if issubclass(rule, Rule)]
CASES = [
    pytest.param(code, verdict, case, id=f"{code}-{verdict}-{number}")
    for code in ROW_RULES
    for verdict in ("pass", "fail")
    for number, case in enumerate(read_cases(code).get(verdict, []))
]


@cache
def encoder(model_type: str) -> Encoder:
    return make_encoder(model_type, GOLDENS / "tokenizer_bos")


def write_file(path: Path, recipe: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match recipe:
        case {"png": [width, height]}:
            Image.new("RGB", (width, height), (200, 60, 20)).save(path, "PNG")
        case {"jpeg": [width, height]}:
            exif = Image.Exif()
            exif[0x0112] = recipe.get("exif", 1)
            Image.new("RGB", (width, height)).save(path, "JPEG", exif=exif)
        case {"image": [width, height]}:
            write_image(path, recipe, (width, height))
        case {"video": times}:
            write_video(path, times)
        case {"claims": [width, height]}:
            path.write_bytes(b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0" + b"," + bytes(20) + b";")
        case {"cut": count}:
            Image.new("RGB", (40, 30)).save(path, "PNG")
            path.write_bytes(path.read_bytes()[:count])
        case {"text": text}:
            path.write_text(text)
        case {"golden": name}:
            shutil.copy(GOLDENS / name, path)
            if "zeros" in recipe:  # from the beginning of an MP4's frames
                start, length = recipe["zeros"]
                with path.open("r+b") as file:
                    file.seek(path.read_bytes().index(b"mdat") + start)
                    file.write(bytes(length))
        case {"link": target}:
            path.symlink_to(target)
        case _:
            raise AssertionError(f"no recipe: {recipe}")


def write_image(path: Path, recipe: dict[str, Any], size: tuple[int, int]) -> None:
    """Write noise in some mode and format, of some frames, less the bytes behind ``keep`` and with ``zeros`` inside."""
    mode, kind = recipe.get("mode", "RGB"), recipe.get("format", "PNG")
    count = recipe.get("frames", 1)
    noise = [Image.frombytes("L", size, random.Random(n).randbytes(size[0] * size[1])) for n in range(count)]
    images = [grey.convert("RGB").convert("L" if mode == "I;16" else mode) for grey in noise]
    if mode == "I;16":
        images = [Image.new(mode, size, 40_000)]
    buffer = io.BytesIO()
    images[0].save(buffer, kind, **({"save_all": True, "append_images": images[1:]} if len(images) > 1 else {}))
    data = bytearray(buffer.getvalue())
    start, length = recipe.get("zeros", (0, 0))
    data[start : start + length] = bytes(length)
    path.write_bytes(data[: recipe.get("keep")])


def write_video(path: Path, times: list[int]) -> None:
    """Write a video whose frames are shown at some times, in hundredths of a second."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=100)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        file.start_encoding()
        for time in times:
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 48), (time % 256, 90, 20)))
            frame.pts, frame.time_base = time, Fraction(1, 100)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def raw_row(case: dict[str, Any], folder: Path) -> RawRow:
    if "source" in case or "hex_source" in case:
        path = folder / "rows.jsonl"
        path.write_bytes(
            bytes.fromhex(case["hex_source"]) if "hex_source" in case else "\n".join(case["source"]).encode()
        )
        return replace(list(read_rows(str(path)))[-1], location=Location("rows.jsonl", 7))
    if "nested" in case:
        text = b'{"query": "q", "response": "r", "x": ' + b"[" * case["nested"] + b"]" * case["nested"] + b"}"
    elif "hex" in case:
        text = bytes.fromhex(case["hex"])
    else:
        text = (case["text"] if "text" in case else json.dumps(case["row"])).encode()
    location = Location("rows.jsonl", 7)
    return RawRow(location, text, starts_with_bom=case.get("bom", False), ends_file=case.get("ends_file", False))


def make_checker(case: dict[str, Any], folder: Path) -> RowChecker:
    root = folder / "root"
    files = {"a.png": {"png": [40, 30]}, "b.png": {"png": [20, 20]}, "../outside.png": {"png": [8, 8]}}
    for name, recipe in (files | case.get("files", {})).items():
        write_file(root / name, recipe)
    options = dict(case.get("options", {}))
    model = options.pop("for", None)
    levels = UP_TO_MEDIA | {Level(level) for level in [options.pop("level", 2)]}
    media = MediaIndex(root, allow_urls=options.pop("allow_urls", False))
    needs_tokens = model is not None and "max_length" in options
    return RowChecker(
        RuleContext(model_type=get_model_type(model) if model else None, **options),
        media=media,
        levels=FOR_CONVERSION if needs_tokens else levels,
        encoder=encoder(model) if needs_tokens else None,
    )


@pytest.mark.parametrize(("code", "verdict", "case"), CASES)
def test_case(code: str, verdict: str, case: dict[str, Any], tmp_path: Path) -> None:
    assert case.keys() <= CASE_KEYS, "a misspelt key would test nothing"
    (tmp_path / "root").mkdir()
    checker = make_checker(case, tmp_path)
    checked = checker.check(raw_row(case, tmp_path))
    findings = checked.findings
    found = [finding for finding in findings if finding.code == code]
    if verdict == "pass":
        assert not found
        return
    assert {finding.code for finding in findings} == {code, *case.get("also", [])}
    assert case.get("field", "") in [finding.field for finding in found]
    finding = next(finding for finding in found if finding.field == case.get("field", ""))
    assert all(part in finding.message for part in case.get("message", [])), finding.message
    assert (finding.name, finding.severity) == (RULES[code].name, RULES[code].severity)
    assert finding.location == Location("rows.jsonl", 7)
    assert finding.message.endswith("...") or not finding.message.endswith("."), "one sentence without a full stop"
    if "fix" in case:
        check_fix(case, checked, finding, checker)


def check_fix(case: dict[str, Any], checked: CheckedRow, finding: Finding, checker: RowChecker) -> None:
    """The fix makes the row that the case says, which is clean of the finding and which nothing changes any more."""
    assert finding.fix is not None
    assert finding.fix.is_safe == case.get("is_safe", True)
    before = copy.deepcopy(checked.value)
    fixed = apply_fixes(checked.value, [finding.fix])
    assert checked.value == before, "a fix changes nothing in place"
    assert fixed.applied == (finding.fix,)
    if case["fix"] == "drop":
        assert fixed.is_dropped
        return
    mended = json.loads(fixed.text) if fixed.text is not None else fixed.row
    assert mended == case["fix"]
    again = checker.check(RawRow(Location("rows.jsonl", 7), json.dumps(mended, ensure_ascii=False).encode()))
    left = [other for other in again.findings if (other.code, other.field) == (finding.code, finding.field)]
    assert not left, "the mended row is clean of what was mended"


@pytest.mark.parametrize("is_safe", [True, False])
@pytest.mark.parametrize(("code", "verdict", "case"), CASES)
def test_applying_all_fixes_comes_to_an_end_and_makes_nothing_worse(
    code: str, verdict: str, case: dict[str, Any], is_safe: bool, tmp_path: Path
) -> None:
    (tmp_path / "root").mkdir()
    checker = make_checker(case, tmp_path)
    checked = checker.check(raw_row(case, tmp_path))
    before = {finding.code for finding in checked.findings if finding.severity is Severity.ERROR}
    could_be_read = checked.record is not None
    for _ in range(4):
        fixes = [f.fix for f in checked.findings if f.fix is not None and (f.fix.is_safe or not is_safe)]
        fixed = apply_fixes(checked.value, fixes)
        if fixed.is_dropped or not fixed.applied:
            break
        text = fixed.text if fixed.text is not None else json.dumps(fixed.row, ensure_ascii=False).encode()
        checked = checker.check(RawRow(Location("rows.jsonl", 7), text))
    else:
        raise AssertionError(f"fixes are still offered: {fixes}")
    after = {finding.code for finding in checked.findings if finding.severity is Severity.ERROR}
    # A row that becomes readable may show more of what is wrong with it.
    assert after <= before or not could_be_read, "a fix brings no new error"


def test_fixes_of_many_rules_are_tested() -> None:
    cases = [(code, case) for code in RULES for case in read_cases(code).get("fail", []) if "fix" in case]
    assert len({code for code, case in cases if case.get("is_safe", True)}) >= 12
    assert len({code for code, case in cases if not case.get("is_safe", True)}) >= 6


@pytest.mark.parametrize("code", ROW_RULES)
def test_every_rule_has_rows_that_pass_and_rows_that_fail(code: str) -> None:
    cases = read_cases(code)
    assert cases.get("pass"), f"cases/{code}.yaml has no row that passes"
    assert cases.get("fail"), f"cases/{code}.yaml has no row that fails"


def test_every_file_of_cases_belongs_to_a_rule() -> None:
    assert sorted(path.stem for path in CASES_FOLDER.iterdir()) == sorted(ROW_RULES)
