"""What a mutator is: it plants one defect, taken from what users suffer from, and names the codes that must catch it.

A mutator of rows changes one clean row; a mutator of files changes a whole file, or two. Neither knows how a rule
works: it names the codes that a user would accept as the diagnosis, the best one first.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Line = Row | bytes


@dataclass(slots=True)
class Desk:
    """What a mutator works with.

    Attributes:
        root: Media root of this benchmark; mutators may add files to it.
        random: Source of chance, seeded per mutator.
        name: Name of the mutator, for the files that it adds.
        index: Number of the row in work.
    """

    root: Path
    random: random.Random
    name: str
    index: int = 0

    def read(self, path: str) -> bytes:
        """Return the bytes of a media file."""
        return (self.root / path).read_bytes()

    def put(self, suffix: str, data: bytes) -> str:
        """Write a media file beside the others and return its path relative to the root."""
        path = Path("planted") / self.name / f"{self.index:03}{suffix}"
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(data)
        return path.as_posix()


@dataclass(slots=True, kw_only=True)
class Plant:
    """Files with a defect, and the same files without it.

    Attributes:
        train: Lines of the data file.
        clean: Lines of the same file before the defect.
        val: Lines of the validation file; None if there is none.
        clean_val: The same before the defect.
        targets: One set of line indices of ``train`` per defect, any of which may carry the finding; None if the
            defect is one of the file as a whole.
        data: The bytes of the data file, where it is not lines of JSON.
        suffix: Ending of the data file's name.
    """

    train: list[Line]
    clean: list[Line]
    val: list[Line] | None = None
    clean_val: list[Line] | None = None
    targets: list[frozenset[int]] | None = None
    data: bytes | None = None
    suffix: str = ".jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutator:
    """One kind of defect.

    Attributes:
        name: Short name.
        pain: What users suffer from, one sentence.
        codes: Codes that diagnose it, the best one first.
        also: Codes that may rightly come along.
        seeds: Kind of clean rows that it starts from.
        level: Lowest level at which it must be found.
        plant: Makes the files.
        options: Options of lint besides the level and the media root.
        says: Text that the message or help must contain, without regard to letter case; empty asks for none.
    """

    name: str
    pain: str
    codes: tuple[str, ...]
    also: tuple[str, ...]
    seeds: str
    level: int
    plant: Callable[[list[Row], Desk], Plant]
    options: dict[str, Any] = field(default_factory=dict)
    says: str = ""


MUTATORS: dict[str, Mutator] = {}
ROWS_PER_FILE = 16


def codes(text: str) -> tuple[str, ...]:
    """Return codes written with spaces between them, and ranges as ``G412-G415``."""
    found: list[str] = []
    for word in text.split():
        first, _, last = word.partition("-")
        end = int(last[1:]) if last else int(first[1:])
        found += [f"{first[0]}{number:03}" for number in range(int(first[1:]), end + 1)]
    return tuple(found)


def of_rows(
    name: str, expected: str, *, seeds: str = "text", level: int = 0, also: str = "", says: str = "", **options: Any
) -> Callable[[Callable[[Row, Desk], Line]], Callable[[Row, Desk], Line]]:
    """Register a function that makes a bad line of one row; every second row of a file is made bad."""

    def register(change: Callable[[Row, Desk], Line]) -> Callable[[Row, Desk], Line]:
        def plant(rows: list[Row], desk: Desk) -> Plant:
            rows = rows[:ROWS_PER_FILE]
            lines: list[Line] = list(rows)
            targets = []
            for index in range(0, len(rows), 2):
                desk.index = index
                lines[index] = change(copy.deepcopy(rows[index]), desk)
                targets.append(frozenset([index]))
            return Plant(train=lines, clean=list(rows), targets=targets)

        plant.__doc__ = change.__doc__
        of_files(name, expected, seeds=seeds, level=level, also=also, says=says, **options)(plant)
        return change

    return register


def of_files(
    name: str, expected: str, *, seeds: str = "text", level: int = 0, also: str = "", says: str = "", **options: Any
) -> Callable[[Callable[[list[Row], Desk], Plant]], Callable[[list[Row], Desk], Plant]]:
    """Register a function that makes a bad file.

    Args:
        name: Name of the mutator.
        expected: Codes that diagnose the defect, the best one first, as ``codes`` reads them.
        seeds: Kind of clean rows to start from.
        level: Lowest level at which it must be found.
        also: Codes that may rightly come along.
        says: Text that the message or help must contain.
        options: Options of lint; ``tokenizer`` asks for a model folder.
    """

    def register(plant: Callable[[list[Row], Desk], Plant]) -> Callable[[list[Row], Desk], Plant]:
        assert name not in MUTATORS, name
        MUTATORS[name] = Mutator(
            name=name,
            pain=(plant.__doc__ or "").strip(),
            codes=codes(expected),
            also=codes(also),
            seeds=seeds,
            level=level,
            plant=plant,
            options=options,
            says=says,
        )
        return plant

    return register


def spell(line: Line) -> bytes:
    """Return a line as it stands in a file, without the line end."""
    return line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()


def join(lines: Iterable[Line]) -> bytes:
    """Return the bytes of a JSON Lines file."""
    return b"".join(spell(line) + b"\n" for line in lines)


def get_objects(row: Row) -> list[Row]:
    """Return the objects of a row, which are mostly JSON in a string."""
    objects = row["objects"]
    return json.loads(objects) if isinstance(objects, str) else copy.deepcopy(objects)


def set_objects(row: Row, objects: object) -> Row:
    """Return the row with other objects, written as they were."""
    as_text = isinstance(row.get("objects"), str)
    return row | {"objects": json.dumps(objects, ensure_ascii=False) if as_text else objects}


def change_boxes(row: Row, change: Callable[[list[float]], Any]) -> Row:
    """Return the row with every box changed."""
    return set_objects(row, [entry | {"bbox": change(entry["bbox"])} for entry in get_objects(row)])


def change_objects(row: Row, **fields: Any) -> Row:
    """Return the row with some fields of every object set."""
    return set_objects(row, [entry | fields for entry in get_objects(row)])


def size_of(desk: Desk, path: str) -> tuple[int, int]:
    """Return width and height of an image as stored."""
    from PIL import Image

    with Image.open(desk.root / path) as image:
        return image.size


def as_messages(row: Row) -> Row:
    """Return a native row in the form of messages."""
    turns = [*row.get("history", []), [row["query"], row["response"]]]
    messages = [
        {"role": role, "content": text}
        for turn in turns
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]
    media = {key: row[key] for key in ("images", "videos", "objects") if key in row}
    return {"messages": messages} | media


def as_conversations(row: Row) -> Row:
    """Return a native row in the form of conversations."""
    form = as_messages(row)
    names = {"user": "human", "assistant": "gpt"}
    turns = [{"from": names[entry["role"]], "value": entry["content"]} for entry in form.pop("messages")]
    return {"conversations": turns} | form
