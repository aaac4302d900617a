"""The fast path says of every row what the rules say: same rows, formats, findings and facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dataprep.blocks import Block
from dataprep.checking import ChunkChecker
from dataprep.config import ConvertConfig, LintConfig, RuleConfig
from dataprep.findings import Location
from dataprep.plain.acceptance import Acceptor
from dataprep.plain.checker import PlainChecker, is_covered
from dataprep.plain.checks import COVERED, RISKY
from dataprep.plain.reader import _ODD_NUMBER, _hash_whole, _Values, make_reader
from dataprep.records import Record, hash_row
from dataprep.rules.base import CheckedRow, Level, Rule
from dataprep.rules.runner import FOR_CONVERSION, UP_TO_MEDIA, CheckerRecipe
from dataprep.rules.table import RULES
from dataprep.tags import BBOX, IMAGE, REF_OBJECT, VIDEO
from dataprep.templates import CONTENT_TOKENS, CONTROL_TOKENS
from dataprep.verdicts import ChunkVerdict
from tests.dataprep.conversions import GOLDENS
from tests.dataprep.plain.drawing import SIZES, Draw

BY_LINE = frozenset({Level.SHAPE, Level.TEXT})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A media root with plain images and one of each kind that rules speak about."""
    folder = tmp_path_factory.mktemp("media")
    for name, size in SIZES.items():
        Image.new("RGB", size, (200, 30, 30)).save(folder / name)
    Image.new("RGBA", (50, 50)).save(folder / "alpha.png")
    Image.new("L", (50, 50)).save(folder / "grey.png")
    Image.new("RGB", (3000, 20)).save(folder / "long.png")
    Image.new("RGB", (50, 50)).save(folder / "png.jpg", "PNG")
    exif = Image.Exif()
    exif[0x112] = 6
    Image.new("RGB", (50, 40)).save(folder / "turned.jpg", exif=exif)
    Image.linear_gradient("L").convert("RGB").save(folder / "damaged.jpg")
    damaged = bytearray((folder / "damaged.jpg").read_bytes())
    damaged[-300:-200] = b"\xff\x01" * 50
    (folder / "damaged.jpg").write_bytes(damaged)
    return folder


def both(
    text: bytes, config: LintConfig, levels: frozenset[Level], *, has_bom: bool = False
) -> tuple[ChunkVerdict, ChunkVerdict]:
    """What the fast path and the rules say of a block, which the fast path sees twice, to have learnt."""
    state = ChunkChecker(CheckerRecipe(config, levels, config.rules)())
    block = Block(Location("rows.jsonl", 7), text, has_bom)
    slow = state._check_rows(list(block.rows()), "rows.jsonl")
    checker = state._checkers.for_file("rows.jsonl")
    assert is_covered(checker)
    plain = PlainChecker("rows.jsonl", checker)
    first = plain.check(block, state._checkers.new_collector("rows.jsonl"))
    again = plain.check(block, state._checkers.new_collector("rows.jsonl"))
    assert first == again
    if not has_bom:
        rows = plain.check_rows(list(block.rows()), state._checkers.new_collector("rows.jsonl"))
        assert rows == again
    return again, slow


def check(
    text: bytes, root: Path, levels: frozenset[Level], model_type: str | None = None, rules: RuleConfig | None = None
) -> None:
    config = LintConfig(media_root=root, model_type=model_type, rules=rules or RuleConfig())
    fast, slow = both(text, config, levels)
    assert fast.findings == slow.findings
    assert fast == slow


@pytest.mark.parametrize("levels", [BY_LINE, UP_TO_MEDIA], ids=["levels 0-1", "levels 0-2"])
@given(seed=st.integers(0, 1 << 40), count=st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_drawn_rows(root: Path, levels: frozenset[Level], seed: int, count: int) -> None:
    draw = Draw(seed)
    model_type = draw.random.choice((None, None, "internvl2-2b", "internvl-chat-v1_5"))
    text = b"\n".join(draw.line() for _ in range(count)) + (b"\n" if draw.often(0.8) else b"")
    check(text, root, levels, model_type)


@given(seed=st.integers(0, 1 << 40), has_val=st.booleans())
@settings(max_examples=30, deadline=None)
def test_drawn_rows_with_pixels(root: Path, seed: int, has_val: bool) -> None:
    draw = Draw(seed)
    text = b"\n".join(draw.line() for _ in range(10))
    config = LintConfig(media_root=root, val=("val.jsonl",) if has_val else (), cache=root / "cache")
    fast, slow = both(text, config, UP_TO_MEDIA | {Level.PIXELS})
    assert fast == slow


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("levels", [BY_LINE, UP_TO_MEDIA], ids=["levels 0-1", "levels 0-2"])
def test_many_drawn_rows(root: Path, levels: frozenset[Level]) -> None:
    for seed in range(1000):
        draw = Draw(seed)
        check(b"\n".join(draw.line() for _ in range(40)) + b"\n", root, levels)


def test_most_drawn_rows_are_accepted(root: Path) -> None:
    """The tests above would hold of a fast path that accepts nothing."""
    draw = Draw(1)
    text = b"".join(json.dumps(draw.row()).encode() + b"\n" for _ in range(2000))
    state = ChunkChecker(CheckerRecipe(LintConfig(media_root=root), BY_LINE)())
    plain = PlainChecker("rows.jsonl", state._checkers.for_file("rows.jsonl"))
    block = Block(Location("rows.jsonl", 1), text)
    acceptor: Acceptor = plain._acceptor
    acceptor.accept(block)
    rows = acceptor.accept(block).rows
    clean = state._check_rows(list(block.rows()), "rows.jsonl")
    num_clean = 2000 - len(clean.findings)
    assert 0.85 * num_clean < sum(row is not None for row in rows) <= num_clean


GOOD = {"query": "q", "response": "r"}


@pytest.mark.parametrize(
    "lines",
    [
        [b'{"query":"q","response":"r","response":"s"}'],
        [b'{"query" :"q","query":"q","response":"r"}'],
        [b'{"query":"q","response":"r"}{"query":"q","response":"r"}', b""],
        [b'{"query":"q",', b'"response":"r"}'],
        [b'{"query":"q","response":"r"}{"query":"a","response":"b","objects":[', b'{"bbox":[1,2,3,4]}]}'],
        [b"", b"  ", b'{"query":"q","response":"r"}\r', b""],
        [b'{"query":"say \\u003cimage>","response":"r"}'],
        [b'{"query":"q","response":"r","note":"a\\\\":1}'],
        [b'{"query":"q","response":"r","a\\\\":"x"}', b'{"query":"q","query":"q","response":"r","a\\\\":"x"}'],
        [b'{"query":"q","response":"\xed\xa0\x80"}'],
        [b'{"query":"q","response":"\\ud800"}'],
        [b"\xef\xbb\xbf" + b'{"query":"q","response":"r"}'],
        [b'[{"query":"q","response":"r"}]'],
        [b'{"query":"q","response":"r","extra":' + b"[" * 300 + b"]" * 300 + b"}"],
        [b'{"query":"q","response":"r","extra":1e999}'],
        [b'{"query":"q","response":"r"'],
        [b'{"query":"He said \\"a\\": b","response":"{\\"a\\": 1}"}'],
    ],
)
def test_lines_with_one_trap(root: Path, lines: list[bytes]) -> None:
    good = json.dumps(GOOD).encode()
    for levels in (BY_LINE, UP_TO_MEDIA):
        for before, after in (([], []), ([good] * 3, []), ([good] * 3, [good] * 2)):
            check(b"\n".join([*before, *lines, *after]), root, levels)
            check(b"\n".join([*before, *lines, *after, b""]), root, levels)


TWICE = b'{"query":"q","response":"r","response":"s"}'


def found(*captions: str, num_tags: int | None = None) -> dict[str, Any]:
    count = len(captions)
    boxes = [
        {"caption": caption, "bbox": [n % 30, n // 30, 60 + n % 30, 60], "bbox_type": "real", "image": 0}
        for n, caption in enumerate(captions)
    ]
    query = "<image>" + "<ref-object>," * count
    answer = "<bbox>" * (count if num_tags is None else num_tags)
    return {"query": query, "response": answer or "r", "images": ["a.jpg"], "objects": boxes}


def turns(**more: Any) -> dict[str, Any]:
    return GOOD | {"history": [["q", "r"]]} | more


@pytest.mark.parametrize(
    ("learnt", "lines"),
    [
        ([GOOD, found("cat")], [found(*map(str, range(65)), num_tags=1), GOOD | {"query": "<bbox>" * 64}]),
        ([GOOD, found("cat")], [found(*map(str, range(64)), num_tags=0), GOOD | {"query": "<bbox>" * 64}]),
        ([GOOD, found("cat")], [found("cat", "dog", num_tags=1), GOOD | {"query": "<bbox>"}]),
        ([GOOD, found("cat")], [found("cat") | {"query": f"<image>{'<ref-object>' * n}"} for n in (0, 2)]),
        ([GOOD, found("cat")], [found("cat", "Cat"), found("cat", " cat"), found("cat", "cat"), found(" "), found("")]),
        ([GOOD, found("cat")], [GOOD | {"objects": "[]"}, TWICE]),
        ([GOOD, found("cat")], [GOOD | {"images": []}, TWICE]),
        ([GOOD, found("cat")], [GOOD | {"images": ["a.jpg"], "query": "<image>"}, TWICE]),
        ([GOOD, turns(images=[], objects=[])], [turns(), TWICE, TWICE]),
        ([GOOD, turns(images=[], objects=[])], [turns(images=[]), TWICE]),
        ([GOOD], [b'{"query":"q","query":"q","response":"r"}', b'{"query" :"q","response":"r"}']),
        ([GOOD], [b'{"query":"q","query":"q","response":"r"}', GOOD | {"query": '": :'}]),
    ],
)  # fmt: skip
def test_no_row_makes_up_for_what_another_has_too_much(
    root: Path, learnt: list[dict[str, Any]], lines: list[dict[str, Any] | bytes]
) -> None:
    """What rows account for is compared for a block as a whole: none may account for more than it holds."""
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in [*learnt, *lines]]
    for levels in (BY_LINE, UP_TO_MEDIA):
        check(b"\n".join([*texts, b""]), root, levels)


def test_a_byte_order_mark_is_a_finding(root: Path) -> None:
    text = b'{"query":"q","response":"r"}\n' * 3
    fast, slow = both(text, LintConfig(media_root=root), BY_LINE, has_bom=True)
    assert fast == slow
    assert [code for _, found in fast.findings for code in [found[0].code]] == ["P006"]


@pytest.mark.parametrize("selectors", [("P",), ("T2", "G"), ("D501",), ("M301",)])
def test_selected_rules(root: Path, selectors: tuple[str, ...]) -> None:
    draw = Draw(5)
    text = b"\n".join(draw.line() for _ in range(200))
    for levels in (BY_LINE, UP_TO_MEDIA):
        check(text, root, levels, rules=RuleConfig(select=selectors))


def test_every_rule_of_rows_up_to_media_is_covered() -> None:
    """A new rule belongs in COVERED once plain rows are known to give it nothing to say, and a case of it in Draw."""
    rules = {code for code, rule in RULES.items() if issubclass(rule, Rule) and rule.level in UP_TO_MEDIA}
    assert rules == COVERED


@pytest.mark.parametrize("token", [*CONTROL_TOKENS, *CONTENT_TOKENS, IMAGE, VIDEO, BBOX, REF_OBJECT])
def test_tags_and_tokens_are_risky(token: str) -> None:
    for text in (token, token.upper(), token.replace("<", "< ")):
        assert RISKY.search(text.encode()), text


def as_converted(rows: list[CheckedRow]) -> list[Any]:
    """What a conversion uses of checked rows."""
    return [
        (row.findings, row.has_errors or (row.value, row.record and shown(row.record), row.layout, hash_of(row)),
         row.num_tokens, row.part_tokens, [ids.tolist() for ids in row.segments], [facts.path for facts in row.images])
        for row in rows
    ]  # fmt: skip


def hash_of(row: CheckedRow) -> bytes:
    return row.row_hash or hash_row(row.value)


def shown(record: Record) -> str:
    """The record with whole numbers told from others."""
    return repr(record)


def check_conversion(seed: int, count: int, root: Path) -> int:
    """Hold the reader of plain rows against the rules, up to tokens; return how many rows it took."""
    draw = Draw(seed)
    options: dict[str, Any] = {
        "model_type": draw.random.choice(("internvl2-1b", "internvl-chat-v1_5")),
        "max_length": draw.random.choice((4096, 300)),
        "system": draw.random.choice((None, "", "Mind <IMG_CONTEXT>.")),
    }
    config = ConvertConfig(model=GOLDENS / "tokenizer_nobos", media_root=root, **options)
    checkers = CheckerRecipe(config, FOR_CONVERSION)()
    text = b"\n".join(draw.line() for _ in range(count))
    raws = [raw for raw in Block(Location("rows.jsonl", 7), text).rows() if raw.text.strip()]
    if not raws:
        return 0
    checker = checkers.for_file("rows.jsonl")
    reader = make_reader("rows.jsonl", checker)
    assert reader is not None
    reader.read(raws)
    taken = reader.read(raws)
    assert as_converted(checker.check_all(raws, taken)) == as_converted(checker.check_all(raws))
    return sum(row is not None for row in taken)


@given(seed=st.integers(0, 1 << 40), count=st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_conversion_makes_the_same_of_drawn_rows(root: Path, seed: int, count: int) -> None:
    check_conversion(seed, count, root)


def test_conversion_takes_most_drawn_rows_fast(root: Path) -> None:
    assert check_conversion(1, 200, root) > 80


@given(
    value=st.dictionaries(
        st.text(max_size=5).filter(lambda key: key != "_lint"),
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=8) | st.integers(-(10**30), 10**30)
            | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    ),
    is_ascii=st.booleans(),
)  # fmt: skip
@settings(deadline=None)
def test_hashes_are_those_of_the_rules(value: dict[str, Any], is_ascii: bool) -> None:
    try:
        text = json.dumps(value, ensure_ascii=is_ascii).encode()
    except UnicodeEncodeError:
        return
    values = _Values()
    if _ODD_NUMBER.search(text):
        return
    try:
        parsed = values.decode(text)
    except ValueError:
        return
    assert parsed == value
    assert (hash_row(parsed) if values.has_fraction else _hash_whole(parsed)) == hash_row(json.loads(text))
