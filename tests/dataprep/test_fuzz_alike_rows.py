"""Rows that all look alike but for a few: what is spoilt is found inside a block of rows that look sound."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from dataprep import lint
from dataprep.config import LintConfig
from tests.dataprep.test_fuzz_rows import GOOD, PICTURE, Row, bend, check_file, damage


def spell(*values: Row) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


PLAIN = {"query": "q", "response": "r"}
TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "r"}]
BOX = {"caption": "cat", "bbox": [1, 2, 30, 40], "bbox_type": "real", "image": 0}
BARE_BOX = {key: value for key, value in BOX.items() if key != "caption"}
FIND = {"query": "Find <ref-object>", "response": "<bbox>", "images": [PICTURE]}
CHAT = [{"role": "user", "content": "<image>Find <ref-object>"}, {"role": "assistant", "content": "<bbox>"}]
KINDS: tuple[Row, ...] = (
    PLAIN,
    PLAIN | {"history": [["a", "b"]], "system": "s", "id": 7},
    {"query": "<image>q", "response": "r", "images": [PICTURE], "source": "web", "score": 0.5},
    FIND | {"objects": [BOX]},
    FIND | {"objects": json.dumps([BOX])},
    {"messages": CHAT, "images": [PICTURE], "objects": [BOX]},
    {"messages": TURNS, "tools": None},
    {"conversations": [{"from": "human", "value": "<image>q"}, {"from": "gpt", "value": "r"}], "image": PICTURE},
    {"instruction": "Add.", "input": "1 2", "output": "3"},
)


def make_alike_lines(generator: random.Random, count: int) -> list[bytes]:
    """Return lines as one program writes them, with the same keys in the same order, one in twelve of them spoilt."""
    row = generator.choice(KINDS)
    lines = []
    for number in range(count):
        text = json.dumps(row).replace('"q', f'"q{number}').replace('"r"', f'"r{number % 50}"')
        line, roll = text.encode(), generator.randrange(24)
        if roll == 0 and number:
            line = damage(generator, line)
        elif roll == 1 and number:
            line = json.dumps(bend(generator, json.loads(text))).encode()
        lines.append(line)
    return lines


@pytest.mark.parametrize("seed", range(18))
def test_spoilt_rows_among_rows_that_are_all_alike(tmp_path: Path, seed: int) -> None:
    verdicts = check_file(tmp_path, make_alike_lines(random.Random(seed), 150), level=seed % 3)
    assert verdicts["sound"] > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(10))
def test_two_hundred_thousand_rows_that_are_nearly_alike(tmp_path: Path, part: int) -> None:
    generator = random.Random(2000 + part)
    total: Counter[str] = Counter()
    for number in range(20):
        total += check_file(tmp_path, make_alike_lines(generator, 1000), level=number % 3)
    assert sum(total.values()) >= 19_000
    assert min(total.values()) > 100


# Files in which a row is bad, though its shape, its bytes or its neighbours make it look like the others.
DECEPTIVE: dict[str, list[bytes]] = {
    "a field that is null at first": spell(
        *(PLAIN | {key: None} for key in ("tools", "rejected_response", "audios", "label")),
        *(PLAIN | {key: "[1]"} for key in ("tools", "rejected_response", "audios", "label")),
    ),
    "a field that is empty at first": spell(
        *(PLAIN | {"tools": value} for value in ("", 0, False, "x", 1, True, [], [1])),
    ),
    "a near name beside the right one, then without it": spell(
        PLAIN,
        *(
            PLAIN | {known: None, near: None}
            for known, near in (("images", "imags"), ("images", "image"), ("system", "sytem"), ("objects", "object"))
        ),
        *(PLAIN | {near: "x"} for near in ("imags", "image", "sytem", "object")),
        *(PLAIN | {near: None} for near in ("imags", "image", "sytem", "object")),
    ),
    "odd names": spell(
        *(PLAIN | {name: 1} for name in ("", " ", "a\nb", 'a"b', "a\\b", "\u202e", "a:b", "a<b", "é", "query "))
    ),
    "fields of other formats": spell(
        PLAIN,
        *(
            PLAIN | {name: value}
            for value in (None, "x", [])
            for name in ("messages", "instruction", "output", "image")
        ),
    ),
    "a tag across two turns of a chat": spell(
        {"messages": [*TURNS, *TURNS], "images": []},
        {
            "messages": [
                {"role": "user", "content": "an <ima"},
                TURNS[1],
                {"role": "user", "content": "ge>"},
                TURNS[1],
            ],
            "images": [PICTURE],
        },
    ),
    "a tag across two turns of a history": spell(
        PLAIN | {"history": [["q", "r"]], "images": []},
        {"query": "age>s", "response": "r", "history": [["<im", "r"]], "images": [PICTURE]},
    ),
    "a placeholder across query and answer": spell(
        FIND | {"objects": [BOX]},
        FIND | {"objects": [BOX], "query": "Find <ref-object> <bb", "response": "ox> there"},
    ),
    "a placeholder across two answers": spell(
        {"messages": TURNS, "images": [PICTURE], "objects": []},
        {
            "messages": [
                CHAT[0],
                {"role": "assistant", "content": "<bb"},
                TURNS[0],
                {"role": "assistant", "content": "ox>"},
            ],
            "images": [PICTURE],
            "objects": [BOX],
        },
    ),
    "one key twice here, one key less there": [
        *spell(PLAIN | {"system": "s"}, PLAIN),
        b'{"query": "q", "query": "p", "response": "r"}',
        *spell({"response": "r"}, PLAIN),
    ],
    "one key twice inside an object": [
        *spell(FIND | {"objects": [BOX]}, FIND | {"objects": [BOX]}),
        json.dumps(FIND | {"objects": [BOX]}).replace('"image": 0', '"image": 0, "image": 0').encode(),
        *spell(FIND | {"query": "Find it", "objects": [BARE_BOX]}),
    ],
    "one key twice inside the text of objects": [
        *spell(FIND | {"objects": json.dumps([BOX])}, FIND | {"query": "Find it", "objects": json.dumps([BARE_BOX])}),
        *spell(FIND | {"objects": json.dumps([BOX]).replace('"image": 0', '"image": 1, "image": 0')}),
        *spell(FIND | {"objects": json.dumps([BOX]).replace('"image": 0', '"image" : 1, "image": 0')}),
        *spell(FIND | {"objects": json.dumps([BOX]).replace('"cat"', '"cat\\\\", "caption": "dog"')}),
    ],
    "keys that end with a backslash": [
        *spell(PLAIN | {"id\\": 1}, PLAIN | {"id\\": 1}),
        rb'{"query": "q", "response": "r", "id\\": 1, "id\\": 2}',
        rb'{"query": "q", "response": "r", "id\\": 1, "id\u005c": 2}',
    ],
    "spaced keys": [
        *spell(PLAIN),
        b'{"query" : "q", "response":"r", "query" :"p"}',
        b'{"query"\t: "q", "response"\r: "r"}',
        b'{"query"\x0b: "q", "response": "r"}',
    ],
    "escaped keys": [*spell(PLAIN), rb'{"query": "q", "response": "r", "quer\u0079": "p"}'],
    "escaped tags": [
        *spell({"query": "<image>q", "response": "r", "images": [PICTURE]}),
        rb'{"query": "\u003Cimage>q", "response": "\u003Cimage>r", "images": ["a.png"]}',
        rb'{"query": "<image>q", "response": "a\u003cimage>r", "images": ["a.png"]}',
        rb'{"query": "<image>q", "response": "a\u003c|im_end|>r", "images": ["a.png"]}',
    ],
    "two rows on a line, one row on two lines": [
        *spell(PLAIN),
        GOOD + GOOD,
        b'{"query": "q", "response": "r", "id": {}',
        b"{}}",
        b'{"query": "q",',
        b'"response": "r"}',
    ],
    "line ends of another system": [line + b"\r" for line in spell(PLAIN, PLAIN, FIND)],
    "space around rows": [b"  " + line + b" \t" for line in spell(PLAIN, PLAIN)],
    "other space around rows": [*spell(PLAIN), b"\x0b" + GOOD + b"\x0c", b"\xc2\xa0" + GOOD, GOOD + b"\x00"],
    "marks inside the file": [*spell(PLAIN), b"\xef\xbb\xbf" + GOOD, GOOD + b"\xef\xbb\xbf"],
    "media that are nothing": spell(
        PLAIN,
        *(
            PLAIN | {"images": value}
            for value in ([], None, "", " ", [""], [None], [" "], ["a.png", ""], "a.png,a.png")
        ),
        *(PLAIN | {"videos": value} for value in ([], None, "", [""], "a.mp4")),
        *({"conversations": [], "image": value} for value in ("", [], None)),
    ),
    "tags with odd space": spell(
        {"query": "<image>q", "response": "r", "images": [PICTURE]},
        *(
            {"query": f"<{space}image>q", "response": "r", "images": [PICTURE]}
            for space in (" ", "\t", "\u2028", "\u00a0", "\u3000", "\u200b", "\ufeff", "\x1f")
        ),
        *(FIND | {"objects": [BOX], "query": f"Find <{space}ref-object>"} for space in ("\u2028", "\u00a0", "\u3000")),
        *(FIND | {"objects": [BOX], "query": f"Find <ref{dash}object>"} for dash in ("_", " ", "\u2010", "\u2011", "")),
    ),
    "blank lines": [*spell(PLAIN), b"", b" \t", b"\r", *spell(PLAIN)],
    "numbers that only some parsers take": [
        *spell(PLAIN | {"n": 1.5}),
        *(
            b'{"query": "q", "response": "r", "n": %s}' % number
            for number in (b"1e999", b"-1e999", b"9" * 400, b"9" * 5000, b"-0", b"1E5", b"01", b"1.", b"+1", b"NaN")
        ),
    ],
    "boxes of odd numbers": [
        *spell(FIND | {"objects": [BOX]}, FIND | {"objects": [BOX]}),
        *(
            json.dumps(FIND | {"objects": [BOX]}).replace("30", number).encode()
            for number in ("1e999", "1e308", "9" * 400, "30.0", "1.0000000001", "-0.0", "true", '"30"', "null")
        ),
    ],
    "half characters": [
        *spell(PLAIN),
        rb'{"query": "q\ud83d", "response": "r"}',
        rb'{"query": "q\ud83d\ude00", "response": "r"}',
        b'{"query": "q\xed\xa0\xbd", "response": "r"}',
        b'{"query": "q\xf0\x9f\x98", "response": "r"}',
    ],
    "empty answers": spell(
        *({"query": "q", "response": value} for value in ("r", "", " ", "\n", "\u3000", "\u200b")),
        {"messages": [TURNS[0], {"role": "assistant", "content": ""}]},
    ),
    "captions that differ in space or case": spell(
        FIND | {"objects": [BOX]},
        *(
            {
                "query": "Find <ref-object> and <ref-object>",
                "response": "<bbox> <bbox>",
                "images": [PICTURE],
                "objects": [BOX, BOX | {"caption": caption, "bbox": [40, 2, 60, 40]}],
            }
            for caption in ("dog", "Cat", " cat", "cat", "", "ＣＡＴ")
        ),
    ),
    "colons in texts": [
        *spell(PLAIN, *(PLAIN | {"query": text} for text in ("a : b", "a!: b", '"a": b', "a\t: b", '\\": b', ":"))),
        b'{"query": "q", "query": "p", "response": "r : s"}',
        b'{"query" :"q", "response": "r"}',
    ],
    "captions that differ in space or case from those of other rows": spell(
        *(
            FIND | {"objects": [BOX | {"caption": caption}]}
            for caption in ("cat", "Cat", "cat ", "CAT", " ", "", "dog")
        ),
        *(
            {
                "query": "Find <ref-object> and <ref-object>",
                "response": "<bbox> <bbox>",
                "images": [PICTURE],
                "objects": [BOX, BOX | {"caption": caption, "bbox": [40, 2, 60, 40]}],
            }
            for caption in ("dog", "CAT", "cat", " ")
        ),
    ),
    "fields that are left out, and keys that come twice": [
        *spell(FIND | {"objects": [BOX]}, PLAIN, FIND | {"query": "q", "response": "r"}, PLAIN | {"objects": "[]"}),
        *spell(PLAIN | {"objects": []}, PLAIN | {"images": []}, PLAIN | {"history": [["a", "b"]], "objects": None}),
        b'{"query": "q", "response": "r", "response": "s"}',
        b'{"query": "q", "response": "r", "objects": "[]", "objects": "[]"}',
        b'{"query": "q", "response": "r", "history": [["a", "b"]], "history": [["a", "b"]]}',
        *spell({"response": "r"}, {"response": "r", "history": [["a", "b"]]}),
    ],
    "many boxes": spell(
        *(
            {
                "query": "Find " + "<ref-object>, " * count,
                "response": "<bbox>" * num_tags,
                "images": [PICTURE],
                "objects": [BOX | {"caption": f"cat {n}", "bbox": [1, n % 9, 30, 20 + n % 20]} for n in range(count)],
            }
            for count, num_tags in ((1, 1), (63, 63), (64, 64), (65, 65), (64, 0), (65, 1), (65, 64), (128, 0), (2, 1))
        )
    ),
    "boxes at the edge": spell(
        *(FIND | {"objects": [BOX | {"bbox": box}]} for box in ([0, 0, 64, 48], [0, 0, 64.5, 48], [0, 0, 65, 48])),
        *(
            FIND | {"objects": [BOX | {"bbox": box, "bbox_type": "norm_1"}]}
            for box in ([0, 0, 1, 1], [0, 0, 1.0000001, 1], [0, 0, 0.01, 0.01], [0.2, 0.2, 0.2001, 0.9])
        ),
    ),
}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", DECEPTIVE)
def test_rows_that_look_like_their_neighbours(tmp_path: Path, name: str, level: int) -> None:
    lines = DECEPTIVE[name]
    check_file(tmp_path, lines, level=level)
    # Good rows before and behind, so that the bad ones lie inside a block of their own kind.
    check_file(tmp_path, [*[lines[0]] * 40, *lines, *[lines[0]] * 40], level=level)


def test_a_mark_before_the_first_row_is_found_whatever_follows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + (GOOD + b"\n") * 50)
    found = lint([str(path)], LintConfig(level=0)).findings
    assert [(f.code, f.location.line) for f in found if f.code[0] == "P"] == [("P006", 1)]


def test_a_file_that_ends_inside_its_last_row_says_so(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes((GOOD + b"\n") * 50 + GOOD[:-6])
    found = lint([str(path)], LintConfig(level=0)).findings
    assert [(f.code, f.location.line) for f in found if f.code[0] == "P"] == [("P009", 51)]
