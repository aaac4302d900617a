"""Rows bent out of shape in every way: lint never crashes, counts every row once, and its quick paths change nothing.

Three judges must agree about each row: ``lint`` on the whole file, which may take quick paths for whole chunks;
``RowChecker`` on the row alone; and the standard parser with jsonschema, which know nothing of either.
"""

from __future__ import annotations

import copy
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from dataprep import lint
from dataprep.config import LintConfig
from dataprep.findings import Finding, Severity
from dataprep.formats.reading import detect_formats
from dataprep.rules.base import CheckedRow, Level, Rule
from dataprep.rules.runner import CheckerRecipe
from dataprep.rules.table import RULES
from dataprep.sources import read_rows
from schemas import load_schema
from tests.dataprep.conversions import GOLDENS, encode_png

Row = dict[str, Any]
PICTURE = "a.png"  # 64 x 48 pixels, beside every fuzzed file
GOOD = b'{"query": "q", "response": "r"}'
# What the rules call a row that does not parse, and one that does not have the shape that its schema asks for.
PARSE = {"P001", "P002", "P003", "P004", "P005", "P007", "P008", "P009", "P010"}
SHAPE = {"S102", "S104", "S105", "S106", "S107", "G401", "G405", "G407"}


# The third judge


@cache
def validator(row_format: str) -> Draft202012Validator:
    registry: Registry[Any] = Registry()
    for part in ("object", "objects.columns"):
        registry = registry.with_resource(f"dataprep:{part}", Resource.from_contents(load_schema(part)))
    return Draft202012Validator(load_schema(f"row.{row_format}"), registry=registry)


def parse_strictly(text: bytes) -> Any:
    """Return the value of a row; raises ValueError where strict JSON has none."""

    def refuse(name: str) -> float:
        raise ValueError(name)

    def finite(digits: str) -> float:
        value = float(digits)
        if value - value != 0:
            raise ValueError(digits)
        return value

    def unique(pairs: list[tuple[str, Any]]) -> Row:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("duplicate key")
        return dict(pairs)

    value = json.loads(text.decode(), parse_constant=refuse, parse_float=finite, object_pairs_hook=unique)
    json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate has no bytes
    return value


def expected_verdict(text: bytes) -> str:
    """Return ``unparsable``, ``bent``, ``sound`` or, where the schema does not decide alone, ``open``."""
    try:
        row = parse_strictly(text)
    except ValueError:
        return "unparsable"
    if not isinstance(row, dict):
        return "unparsable"
    formats = detect_formats(row)
    if len(formats) != 1:
        return "bent"
    if isinstance(row.get("history"), str) or isinstance(row.get("objects"), str | dict):
        return "open"  # texts and columns that are read into another shape before they are judged
    is_valid = validator(formats[0]).is_valid(row)
    if is_valid and formats[0] in ("messages", "conversations"):
        return "open"  # the order of roles is not in the schema
    return "sound" if is_valid else "bent"


def observed_verdict(row: CheckedRow) -> str:
    """Return the verdict that the findings and the record of a row come to."""
    codes = {finding.code for finding in row.findings}
    if codes & PARSE:
        return "unparsable"
    if row.record is not None:
        return "sound"
    assert codes & SHAPE
    return "bent"


# The comparison


def signature(finding: Finding) -> tuple[Any, ...]:
    return (
        finding.code, finding.severity, finding.location.line, finding.field, finding.message, finding.help,
        finding.row_hash,
    )  # fmt: skip


def check_file(folder: Path, lines: Sequence[bytes], *, level: int = 1) -> Counter[str]:
    """Lint a file of lines and hold the three judges against each other; return how often each verdict was given."""
    path = folder / "rows.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    (folder / PICTURE).write_bytes(encode_png((1, 2, 3), (64, 48)))
    config = LintConfig(level=level)
    told: list[int] = []
    streamed: list[Finding] = []
    report = lint([str(path)], config, progress=told.append, on_findings=streamed.extend)

    raws = list(read_rows(str(path)))
    wanted = [number for number, line in enumerate(b"\n".join(lines).split(b"\n"), start=1) if line.strip()]
    assert [raw.location.line for raw in raws] == wanted
    assert report.num_rows == sum(told) == report.files[0].rows == sum(report.files[0].formats.values()) == len(wanted)

    # Rules about whole data sets may name a row, too; no row alone can tell.
    of_rows = [finding for finding in streamed if issubclass(RULES[finding.code], Rule)]
    by_line: dict[int, list[Finding]] = defaultdict(list)
    for finding in of_rows:
        by_line[finding.location.line].append(finding)
    assert set(by_line) <= set(wanted)

    levels = frozenset(rung for rung in Level if rung <= level)
    checker = CheckerRecipe(config, levels)().for_file(str(path))
    verdicts: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    bad_rows = 0
    for raw in raws:
        alone = checker.check(raw)
        whole = by_line[raw.location.line]
        assert sorted(map(signature, whole), key=repr) == sorted(map(signature, alone.findings), key=repr), raw.text
        formats[alone.record.row_format if alone.record else "unreadable"] += 1
        expected, observed = expected_verdict(raw.text), observed_verdict(alone)
        assert expected in ("open", observed), (expected, raw.text, whole)
        assert not (expected == "open" and observed == "unparsable"), raw.text
        verdicts[observed] += 1
        bad_rows += any(finding.severity is Severity.ERROR for finding in whole)
    assert report.num_rows_with_errors == bad_rows
    assert report.files[0].formats == formats
    return verdicts


# Bent rows, by a seeded random generator: a million of them are cheap

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 999, 1000, 1001, 2**31, 2**63, 2**64, -(2**70), 0.5, -0.0, 1e300, 1e-300,
    "", " ", "0", "null", "[]", "{}", "[1, 2]", "<image>", "<bbox>", "<ref-object>", "<|im_end|>", "<img>a.png</img>",
    "a.png,b.png", "real", "norm_1", "norm1", "user", "assistant", "\u0000", "\ufeff", "\u2028", "\U0001f600", "é",
    "\ud800", "../../etc/passwd", "https://example.org/a.png", "data:image/png;base64,", "x" * 300,
    [], [[]], [None], [0], [1, 2, 3, 4], ["a"], [["q", "r"]], [["q"]], [[[1, 2], [3, 4]]], {}, {"a": {}}, {"url": "a"},
    {"role": "user", "content": "q"}, {"ref": ["a"], "bbox": [[1, 2, 3, 4]]},
    {"caption": "c", "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0}, {"type": "text", "text": "t"},
)  # fmt: skip
ODD_KEYS = (
    "", "image", "imgs", "Query", "respons", "system", "history", "objects", "images", "videos", "messages",
    "conversations", "conversation", "instruction", "input", "output", "query", "response", "bbox", "bbox_type",
    "caption", "role", "content", "from", "value", "a\u0000b", "\u202e", "tools", "id",
)  # fmt: skip
TOKENS = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"\\u0000", b"null", b"NaN", b"-Infinity",
    b"1e999", b"-", b"0", b"00", b".5", b"\x00", b"\x01", b"\x7f", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b"\t", b"\r", b"\n", b"\r\n", b"\x0b", b"\x0c", b"\xe2\x80\xa8", b"//", b"/**/", b"'", b'"query":', b"true,",
)  # fmt: skip


def bend(generator: random.Random, row: Row) -> Row:
    """Return a row with one to three changes somewhere inside it."""
    row = copy.deepcopy(row)
    for _ in range(generator.choice((1, 1, 1, 2, 3))):
        holder: Any = row
        while True:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            if not keys:
                break
            key = generator.choice(list(keys))
            if isinstance(holder[key], dict | list) and holder[key] and generator.random() < 0.7:
                holder = holder[key]
                continue
            _change(generator, holder, key)
            break
    return row


def _change(generator: random.Random, holder: Any, key: Any) -> None:
    choice = generator.randrange(6)
    if choice == 0:
        del holder[key]
    elif choice == 1:
        holder[key] = [holder[key]]
    elif choice == 2 and isinstance(holder, dict):
        holder[generator.choice(ODD_KEYS)] = holder.pop(key)
    elif choice == 3 and isinstance(holder, dict):
        holder[generator.choice(ODD_KEYS)] = copy.deepcopy(generator.choice(ODD_VALUES))
    elif choice == 4 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(generator.choice(ODD_VALUES)))
    else:
        holder[key] = copy.deepcopy(generator.choice(ODD_VALUES))


def damage(generator: random.Random, text: bytes) -> bytes:
    """Return the bytes of a row with one to three changes that know nothing of JSON."""
    for _ in range(generator.choice((1, 1, 2, 3))):
        at = generator.randrange(len(text) + 1)
        end = min(len(text), at + generator.choice((1, 1, 2, 5, 40)))
        choice = generator.randrange(5)
        if choice == 0:
            text = text[:at] + text[end:]
        elif choice == 1:
            text = text[:at] + generator.choice(TOKENS) + text[at:]
        elif choice == 2:
            text = text[:at] + generator.choice(TOKENS) + text[end:]
        elif choice == 3:
            text = text[:end] + text[at:]
        else:
            text = text[:at] + bytes([generator.randrange(256)]) + text[at + 1 :]
    return text


@cache
def base_rows() -> tuple[Row, ...]:
    lines = (GOLDENS / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line)["row"] for line in lines]
    rows = [row for row in rows if isinstance(row, dict) and len(json.dumps(row)) < 2000]
    box = {"caption": "cat", "bbox": [1, 2, 30, 40], "bbox_type": "real", "image": 0}
    rows += [
        {"query": "Find <ref-object>", "response": "<bbox>", "images": ["a.png"], "objects": [box]},
        {"query": "Find <ref-object>", "response": "<bbox>", "images": ["a.png"], "objects": json.dumps([box])},
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "r"}], "images": ["a.png"]},
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "r"}]},
        {"instruction": "Add.", "input": "1 2", "output": "3"},
        {"query": "q", "response": "r", "history": [["a", "b"], ["c", "d"]], "system": "s", "videos": ["a.mp4"]},
    ]
    return tuple(rows)


def make_lines(generator: random.Random, count: int) -> list[bytes]:
    """Return lines of bent, damaged and, one in ten, untouched rows."""
    lines = [GOOD]  # what the first line looks like decides whether the file is an array
    rows = base_rows()
    while len(lines) < count:
        row = generator.choice(rows)
        roll = generator.random()
        if roll < 0.5:
            row = bend(generator, row)
        text = json.dumps(row, ensure_ascii=generator.random() < 0.3).encode("utf-8", "surrogatepass")
        lines.append(damage(generator, text) if 0.4 < roll < 0.9 else text)
    return lines


@pytest.mark.parametrize("seed", range(4))
def test_mutated_rows_get_one_verdict_each_that_all_judges_share(tmp_path: Path, seed: int) -> None:
    verdicts = check_file(tmp_path, make_lines(random.Random(seed), 250), level=seed % 2 + 1)
    # Rows of every kind came up: the judges had something to agree about.
    assert min(verdicts[verdict] for verdict in ("unparsable", "bent", "sound")) > 20


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(10))
def test_two_hundred_thousand_mutated_rows(tmp_path: Path, part: int) -> None:
    generator = random.Random(1000 + part)
    total: Counter[str] = Counter()
    for chunk in range(10):
        total += check_file(tmp_path, make_lines(generator, 2000), level=0 if chunk % 3 == 0 else 1 if chunk % 3 else 2)
    assert sum(total.values()) >= 20_000
    assert min(total.values()) > 1000


# Structures that a table of odd values does not think of, and which shrink to a readable example


TEXT = st.text(max_size=6) | st.sampled_from([value for value in ODD_VALUES if isinstance(value, str)])
NUMBER = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ANY = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | st.sampled_from(ODD_KEYS), inner, max_size=3),
    max_leaves=10,
)
OBJECT = st.fixed_dictionaries(
    {},
    optional={
        "caption": TEXT | ANY,
        "bbox": st.lists(NUMBER, min_size=3, max_size=5) | st.lists(st.lists(NUMBER, max_size=5), max_size=2) | ANY,
        "bbox_type": st.sampled_from(["real", "norm_1", "norm_1000", "norm1"]) | ANY,
        "image": st.integers(-1, 2) | ANY,
    },
)
CHAT = st.lists(
    st.fixed_dictionaries(
        {}, optional={"role": TEXT, "content": TEXT | st.lists(ANY, max_size=2), "from": TEXT, "value": TEXT | ANY}
    ),
    max_size=4,
)
ROW = st.fixed_dictionaries(
    {},
    optional={
        "query": TEXT | ANY,
        "response": TEXT | ANY,
        "history": st.lists(st.lists(TEXT, min_size=1, max_size=3), max_size=2) | ANY,
        "images": st.lists(TEXT | st.none(), max_size=3) | ANY,
        "videos": st.lists(TEXT | st.none(), max_size=2) | ANY,
        "objects": st.lists(OBJECT, max_size=3) | st.lists(OBJECT, max_size=2).map(json.dumps) | ANY,
        "system": TEXT | ANY,
        "messages": CHAT | ANY,
        "conversations": CHAT | ANY,
        "instruction": TEXT | ANY,
        "output": TEXT | ANY,
    },
)
LINE = (
    (ROW | ANY).map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | st.binary(max_size=30)
    | st.lists(st.sampled_from(TOKENS), max_size=12).map(b"".join)
)


def one_run(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
    )


@one_run(60)
@given(lines=st.lists(LINE, max_size=6))
def test_rows_of_any_structure_get_one_verdict_each(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    check_file(_folder(tmp_path_factory), [GOOD, *lines])


@pytest.mark.slow
@one_run(5000)
@given(lines=st.lists(LINE, max_size=8), level=st.sampled_from([0, 1, 2]))
def test_many_rows_of_any_structure_get_one_verdict_each(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], level: int
) -> None:
    check_file(_folder(tmp_path_factory), [GOOD, *lines], level=level)


@one_run(60)
@given(
    data=st.lists(st.sampled_from([*TOKENS, GOOD, GOOD + b",", b"[" + GOOD, GOOD + b"]"]), max_size=20).map(b"".join),
    name=st.sampled_from(["rows.json", "rows.jsonl"]),
)
def test_files_of_any_bytes_are_read_to_their_end(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    path = _folder(tmp_path_factory) / name
    path.write_bytes(data)
    report = lint([str(path)], LintConfig(level=1))
    assert report.num_rows == len(list(read_rows(str(path))))
    # Whatever is no white space is part of some row.
    assert (
        (report.num_rows > 0)
        or not data.strip(b"\xef\xbb\xbf \t\r\n\x0b\x0c")
        or data.split() in ([b"[", b"]"], [b"[]"])
    )


def _folder(factory: pytest.TempPathFactory) -> Path:
    folder = factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    return folder
