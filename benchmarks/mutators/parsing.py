"""Defects of the file and of its JSON."""

from __future__ import annotations

import json

from benchmarks.mutators.base import Desk, Line, Plant, Row, change_boxes, join, of_files, of_rows, spell


@of_rows("brace-missing", "P001")
def brace_missing(row: Row, desk: Desk) -> Line:
    """A writer that died lost the end of a row."""
    return spell(row)[:-1]


@of_rows("row-cut-in-the-middle", "P001")
def row_cut(row: Row, desk: Desk) -> Line:
    """A row was cut off while the file went on."""
    text = spell(row)
    return text[: desk.random.randrange(2, len(text) - 1)].decode("utf-8", "ignore").encode()


@of_rows("trailing-comma", "P001")
def trailing_comma(row: Row, desk: Desk) -> Line:
    """Written by hand, with a comma after the last field."""
    return spell(row)[:-1] + b",}"


@of_rows("python-literal", "P001")
def python_literal(row: Row, desk: Desk) -> Line:
    """Somebody wrote str(row) in place of json.dumps(row)."""
    return repr({"ok": None} | row).encode()


@of_rows("comment-in-json", "P001")
def comment(row: Row, desk: Desk) -> Line:
    """A comment, as JSON5 and config files have them."""
    return spell(row) + b"  // checked by hand"


@of_rows("two-rows-on-a-line", "P001")
def two_rows(row: Row, desk: Desk) -> Line:
    """Files were joined whose last line had no line end."""
    return spell(row) + spell(row | {"query": "And again?"})


@of_rows("raw-line-break", "P001", also="D501")
def raw_line_break(row: Row, desk: Desk) -> Line:
    """A text was pasted with its line breaks not escaped."""
    row["query"] = "First line\u0000second line"
    return spell(row).replace(b"\\u0000", b"\n")


@of_rows("raw-tab-in-text", "P001")
def raw_tab(row: Row, desk: Desk) -> Line:
    """A control character stands unescaped inside a text."""
    row["query"] = "Name\u0000value?"
    return spell(row).replace(b"\\u0000", b"\x0b")


@of_rows("null-bytes", "P001")
def null_bytes(row: Row, desk: Desk) -> Line:
    """A crash left a block of null bytes where a row was."""
    return b"\0" * len(spell(row))


@of_files("last-line-truncated", "P009 P001")
def last_line(rows: list[Row], desk: Desk) -> Plant:
    """The download stopped in the middle of the last row."""
    text = join(rows)
    data = text[: len(text) - len(spell(rows[-1])) // 2]
    return Plant(train=list(rows), clean=list(rows), data=data, targets=[frozenset([len(rows) - 1])])


@of_files("array-not-closed", "P009 P001")
def array_not_closed(rows: list[Row], desk: Desk) -> Plant:
    """A JSON array lost its end."""
    data = json.dumps(rows, ensure_ascii=False, indent=1).encode()
    return Plant(train=list(rows), clean=list(rows), data=data[: len(data) - 30], suffix=".json")


@of_files("array-without-comma", "P001")
def array_without_comma(rows: list[Row], desk: Desk) -> Plant:
    """Two elements of a JSON array were joined without a comma."""
    texts = [spell(row) for row in rows]
    data = b"[" + b",\n".join(texts[:-1]) + b"\n" + texts[-1] + b"]"
    return Plant(train=list(rows), clean=list(rows), data=data, suffix=".json")


@of_files("byte-order-mark", "P006")
def byte_order_mark(rows: list[Row], desk: Desk) -> Plant:
    """Saved by an editor that puts a byte order mark in front."""
    return Plant(train=list(rows), clean=list(rows), data=b"\xef\xbb\xbf" + join(rows), targets=[frozenset([0])])


@of_rows("byte-order-mark-inside", "P006 P001")
def byte_order_mark_inside(row: Row, desk: Desk) -> Line:
    """Files with byte order marks were joined with cat."""
    return b"\xef\xbb\xbf" + spell(row)


@of_files("utf-16-file", "P002 P001 P010")
def utf_16(rows: list[Row], desk: Desk) -> Plant:
    """Written by a shell whose redirection makes UTF-16."""
    data = join(rows).decode().encode("utf-16")
    return Plant(train=list(rows), clean=list(rows), data=data)


@of_rows("latin-1-bytes", "P002")
def latin_1(row: Row, desk: Desk) -> Line:
    """One source was never UTF-8."""
    return spell(row | {"query": "Where is the café?"}).replace("é".encode(), b"\xe9")


@of_rows("gbk-bytes", "P002")
def gbk(row: Row, desk: Desk) -> Line:
    """One source is in a Chinese code page."""
    return json.dumps(row | {"query": "图片里有什么？"}, ensure_ascii=False).encode("gbk", "replace")


@of_rows("duplicate-key", "P003")
def duplicate_key(row: Row, desk: Desk) -> Line:
    """A merge wrote the answer twice; parsers silently take the last."""
    return spell(row)[:-1] + b', "response": "the other answer"}'


@of_rows("nan-in-box", "P004", seeds="box", level=2)
def nan_in_box(row: Row, desk: Desk) -> Line:
    """A division by zero went into the boxes."""
    return spell(change_boxes(row, lambda box: [float("nan"), *box[1:]]) | {"score": float("nan")})


@of_rows("infinity", "P004")
def infinity(row: Row, desk: Desk) -> Line:
    """A score is Infinity, which only Python reads."""
    return spell(row | {"score": float("inf")})


@of_rows("number-too-large", "P004")
def number_too_large(row: Row, desk: Desk) -> Line:
    """A number that no float holds."""
    return spell(row)[:-1] + b', "score": 1e999}'


@of_rows("lone-surrogate", "P007")
def lone_surrogate(row: Row, desk: Desk) -> Line:
    """An emoji was cut in half by a length limit."""
    row["response"] = "Nice \ud83d"
    return json.dumps(row).encode()


@of_rows("row-is-an-array", "P005")
def row_is_array(row: Row, desk: Desk) -> Line:
    """Rows written as lists of values, without keys."""
    return json.dumps([row["query"], row["response"]]).encode()


@of_rows("row-encoded-twice", "P005")
def row_encoded_twice(row: Row, desk: Desk) -> Line:
    """json.dumps was called on a text that was JSON already."""
    return json.dumps(json.dumps(row)).encode()


@of_rows("nested-too-deep", "P008 P001")
def nested_too_deep(row: Row, desk: Desk) -> Line:
    """A broken exporter nests without end."""
    return spell(row)[:-1] + b', "tree": ' + b"[" * 5000 + b"]" * 5000 + b"}"


@of_rows("empty-object", "S105", also="D501")
def empty_object(row: Row, desk: Desk) -> Line:
    """A row of which nothing is left."""
    return {}
