"""Defects of data sets as a whole: duplicates, leakage, imbalance."""

from __future__ import annotations

import json

from benchmarks.mutators.base import Desk, Line, Plant, Row, of_files
from benchmarks.mutators.pictures import as_png, encode, open_rgb, read_frames

DUPLICATE = "D501-D506"
ALONG = "D501-D506 C701-C703"


def _pairs(count: int, of: int) -> list[frozenset[int]]:
    return [frozenset([index, of + index]) for index in range(count)]


@of_files("row-twice", DUPLICATE, level=2, also="C701-C703")
def row_twice(rows: list[Row], desk: Desk) -> Plant:
    """A source was merged in twice."""
    return Plant(train=[*rows, *rows[:6]], clean=list(rows), targets=_pairs(6, len(rows)))


@of_files("row-twice-spelled-otherwise", DUPLICATE, level=2, also="C701-C703")
def row_twice_respelled(rows: list[Row], desk: Desk) -> Plant:
    """The same row with its keys in another order and other white space."""
    again: list[Line] = [
        json.dumps(dict(reversed(row.items())), ensure_ascii=True, indent=None, separators=(", ", " : ")).encode()
        for row in rows[:6]
    ]
    return Plant(train=[*rows, *again], clean=list(rows), targets=_pairs(6, len(rows)))


@of_files("two-answers-to-one-question", DUPLICATE, seeds="image", level=2, also="C701-C703")
def two_answers(rows: list[Row], desk: Desk) -> Plant:
    """Same image, same question, another answer."""
    again: list[Line] = [row | {"response": f"It is not so, number {index}."} for index, row in enumerate(rows[:6])]
    return Plant(train=[*rows, *again], clean=list(rows), targets=_pairs(6, len(rows)))


def _leak(rows: list[Row], leaked: list[Line]) -> Plant:
    half = len(rows) // 2
    return Plant(
        train=list(rows[:half]),
        clean=list(rows[:half]),
        val=[*rows[half:], *leaked],
        clean_val=list(rows[half:]),
    )


@of_files("val-holds-a-train-row", DUPLICATE, level=2, also=ALONG)
def leak_row(rows: list[Row], desk: Desk) -> Plant:
    """A row stands in both splits."""
    return _leak(rows, [rows[0], rows[1]])


def _leak_image(rows: list[Row], desk: Desk, change: str) -> Plant:
    leaked: list[Line] = []
    for index in range(3):
        desk.index = index
        data = desk.read(rows[index]["images"][0])
        image = open_rgb(data)
        if change == "copied":
            path = desk.put(rows[index]["images"][0][-4:], data)
        elif change == "re-encoded":
            path = desk.put(".jpg", encode(image, "JPEG", quality=60))
        elif change == "as PNG":
            path = desk.put(".png", as_png(data))
        else:
            path = desk.put(".jpg", encode(image.resize((image.width * 2 // 3, image.height * 2 // 3)), "JPEG"))
        leaked.append({"query": f"<image>Describe scene {index}.", "response": f"Scene {index}.", "images": [path]})
    return _leak(rows, leaked)


@of_files("val-shares-an-image", DUPLICATE, seeds="scenes", level=2, also=ALONG)
def leak_same_path(rows: list[Row], desk: Desk) -> Plant:
    """Another question about a picture of the train split."""
    return _leak(rows, [rows[0] | {"query": "<image>And what else?", "response": "Nothing more."}])


@of_files("val-holds-a-copied-image", DUPLICATE, seeds="scenes", level=3, also=ALONG)
def leak_bytes(rows: list[Row], desk: Desk) -> Plant:
    """The same picture under another name."""
    return _leak_image(rows, desk, "copied")


@of_files("val-holds-a-re-encoded-image", DUPLICATE, seeds="scenes", level=3, also=ALONG)
def leak_reencoded(rows: list[Row], desk: Desk) -> Plant:
    """The same picture, saved again at a lower quality."""
    return _leak_image(rows, desk, "re-encoded")


@of_files("val-holds-a-png-of-an-image", DUPLICATE, seeds="scenes", level=3, also=ALONG)
def leak_png(rows: list[Row], desk: Desk) -> Plant:
    """The same picture as PNG."""
    return _leak_image(rows, desk, "as PNG")


@of_files("val-holds-a-resized-image", DUPLICATE, seeds="scenes", level=3, also=ALONG)
def leak_resized(rows: list[Row], desk: Desk) -> Plant:
    """The same picture at two thirds of its size."""
    return _leak_image(rows, desk, "resized")


@of_files("val-shares-a-video", DUPLICATE, seeds="video", level=2, also=ALONG)
def leak_video(rows: list[Row], desk: Desk) -> Plant:
    """Another question about a video of the train split."""
    others = [row for row in rows if row["videos"] != rows[0]["videos"]][:1]
    asked = rows[0] | {"query": "<video>How does it end?", "response": "Well."}
    return Plant(train=[rows[0]], clean=[rows[0]], val=[*others, asked], clean_val=list(others))


@of_files("val-holds-frames-of-a-video", DUPLICATE, seeds="video", level=3, also=ALONG)
def leak_frames(rows: list[Row], desk: Desk) -> Plant:
    """Frames of one clip lie in both splits, one frame apart."""
    frames = read_frames(str(desk.root / rows[0]["videos"][0]), most=4)
    paths = []
    for index, frame in enumerate(frames):
        desk.index = index
        paths.append(desk.put(".jpg", encode(frame, "JPEG", quality=90)))
    made: list[Line] = [
        {"query": f"<image>What happens, part {n}?", "response": f"Part {n}.", "images": [path]}
        for n, path in enumerate(paths)
    ]
    return Plant(train=made[:2], clean=made[:2], val=made[2:], clean_val=[{"query": "Hello?", "response": "Hello."}])


@of_files("declared-split-leaks", DUPLICATE, level=2, also=ALONG)
def declared_split(rows: list[Row], desk: Desk) -> Plant:
    """One file with a field 'split', and the same row on both sides."""
    marked: list[Line] = [row | {"split": "train" if n % 4 else "val"} for n, row in enumerate(rows)]
    again = [rows[1] | {"split": "val"}, rows[2] | {"split": "val"}]
    return Plant(train=[*marked, *again], clean=marked)


@of_files("almost-only-text", "C701", seeds="mixed", level=2, also=ALONG)
def almost_only_text(rows: list[Row], desk: Desk) -> Plant:
    """Images in one row of a hundred: such mixes hang or starve the vision side."""
    pictured = [row for row in rows if row.get("images")]
    text = [row for row in rows if not row.get("images")]
    many = [text[n % len(text)] | {"query": f"{n}: {text[n % len(text)]['query']}"} for n in range(198)]
    return Plant(train=[*many, *pictured[:2]], clean=list(pictured))


@of_files("one-answer-everywhere", "C702", seeds="mixed", level=2, also=ALONG)
def one_answer(rows: list[Row], desk: Desk) -> Plant:
    """Seven of ten answers are the same sentence: the model learns to say it."""
    same = "I'm sorry, I can't help with that picture."
    lines: list[Line] = [
        rows[n % len(rows)]
        | {"query": f"{n}: {rows[n % len(rows)]['query']}"}
        | ({"response": same} if n % 10 < 7 else {})
        for n in range(200)
    ]
    return Plant(train=lines, clean=list(rows))


@of_files("labels-out-of-balance", "C703", seeds="many_boxes", level=2, also=ALONG + " G412-G421")
def imbalance(rows: list[Row], desk: Desk) -> Plant:
    """One class has ninety-eight of a hundred objects."""
    from benchmarks.mutators.base import change_objects

    def caption(number: int) -> str:
        return "car" if number % 50 else ("bus", "tram", "cart", "bike")[number // 50 % 4]

    train: list[Line] = [change_objects(row, caption=caption(number)) for number, row in enumerate(rows)]
    names = ("car", "bus", "tram", "cart")
    clean: list[Line] = [change_objects(row, caption=names[number % 4]) for number, row in enumerate(rows)]
    return Plant(train=train, clean=clean)
