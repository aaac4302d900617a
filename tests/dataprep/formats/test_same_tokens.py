"""The same content in each row format gives the same tokens: ids, labels, boxes, prompts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep import convert, lint
from dataprep.encode import Encoder, make_encoder
from dataprep.findings import Location
from dataprep.formats.reading import read_record
from dataprep.layouts import lay_out
from dataprep.tiling import ImageSize
from tests.dataprep.conversions import TOKENIZER, make_options, read_table, write_png, write_rows

SIZES = {"red.png": ImageSize(64, 48), "blue.png": ImageSize(30, 90), "green.png": ImageSize(8, 8)}
Row = dict[str, Any]


@dataclass
class Content:
    """What a row says, before any format: turns of query and answer, tags included."""

    turns: list[tuple[str, str]]
    images: list[str]
    boxes: list[list[float]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    bbox_type: str = "real"
    box_images: list[int] = field(default_factory=list)
    system: str | None = None

    @property
    def object_list(self) -> list[Row]:
        return [
            {"caption": caption, "bbox": box, "bbox_type": self.bbox_type, "image": image}
            for caption, box, image in zip(self.captions, self.boxes, self.box_images, strict=True)
        ]

    @property
    def columns(self) -> Row:
        bbox_type = {"norm_1": "norm1"}.get(self.bbox_type, self.bbox_type)
        return {"ref": self.captions, "bbox": self.boxes, "bbox_type": bbox_type, "image_id": self.box_images}


WORDS = st.text(st.sampled_from("abc é猫\n.,<>{}"), max_size=8)
NAMES = st.text(st.sampled_from("abc é猫-"), min_size=1, max_size=6)


@st.composite
def contents(draw: st.DrawFn) -> Content:
    images = draw(st.lists(st.sampled_from(sorted(SIZES)), max_size=3))
    num_turns = draw(st.integers(1, 3))
    queries = [[f"q{n}{draw(WORDS)}"] for n in range(num_turns)]
    answers = [[f"a{n}{draw(WORDS)}"] for n in range(num_turns)]
    for turn in sorted(draw(st.integers(0, num_turns - 1)) for _ in images):
        place = draw(st.integers(0, len(queries[turn])))
        queries[turn].insert(place, "<image>")
    num_objects = draw(st.integers(0, 3)) if images else 0
    bbox_type = draw(st.sampled_from(["real", "norm_1", "norm_1000"]))
    boxes, box_images = [], []
    for number in range(num_objects):
        at = draw(st.integers(0, len(images) - 1))
        size = SIZES[images[at]]
        far = {"real": (size.width, size.height), "norm_1": (1, 1)}.get(bbox_type, (1000, 1000))
        x, y = draw(st.floats(0, 0.4)), draw(st.floats(0, 0.4))
        box = [x * far[0], y * far[1], (x + 0.5) * far[0], (y + 0.5) * far[1]]
        boxes.append([round(value) for value in box] if bbox_type == "norm_1000" else box)
        box_images.append(at)
        answers[number % num_turns] += ["<ref-object>", "<bbox>"]
    turns = [("".join(query), "".join(answer)) for query, answer in zip(queries, answers, strict=True)]
    captions = [draw(NAMES) for _ in boxes]
    return Content(
        turns, images, boxes, captions, bbox_type, box_images, draw(st.sampled_from([None, "", "Be brief."]))
    )


def common(content: Content, *, objects: Any) -> Row:
    row: Row = {} if content.system is None else {"system": content.system}
    if content.images:
        row["images"] = content.images
    return row | ({"objects": objects} if content.boxes else {})


def native(content: Content) -> Row:
    *history, (query, response) = content.turns
    row = {"query": query, "response": response, "history": [list(turn) for turn in history]}
    return row | common(content, objects=content.object_list)


def native_as_text(content: Content) -> Row:
    row = native(content) | common(content, objects=json.dumps(content.object_list))
    return row | {"history": json.dumps(row["history"])}


def native_columns(content: Content) -> Row:
    return native(content) | common(content, objects=content.columns)


def native_inline(content: Content) -> Row:
    paths = iter(content.images)
    turns = []
    for query, answer in content.turns:
        head, *rest = query.split("<image>")
        turns.append([head + "".join(f"<img>{next(paths)}</img>{text}" for text in rest), answer])
    *history, (query, response) = turns
    row = {"query": query, "response": response, "history": history, **common(content, objects=content.object_list)}
    row.pop("images", None)
    return row


def alpaca(content: Content) -> Row:
    *history, (query, response) = content.turns
    instruction, newline, rest = query.partition("\n")
    row: Row = {"instruction": instruction, "output": response, "history": [list(turn) for turn in history]}
    if newline and rest:
        row["input"] = rest
    else:
        row["instruction"] = query
    return row | common(content, objects=content.object_list)


def chat(content: Content) -> list[tuple[str, str]]:
    return [(role, text) for turn in content.turns for role, text in zip(("user", "assistant"), turn, strict=True)]


def messages(content: Content) -> Row:
    row = common(content, objects=content.object_list)
    return {"messages": [{"role": role, "content": text} for role, text in chat(content)], **row}


def messages_columns(content: Content) -> Row:
    row = messages(content) | common(content, objects=content.columns)
    if content.system is not None:
        row["messages"] = [{"role": "system", "content": row.pop("system")}, *row["messages"]]
    return row


def messages_columns_as_text(content: Content) -> Row:
    return messages(content) | common(content, objects=json.dumps(content.columns))


def messages_parts(content: Content) -> Row:
    paths = iter(content.images)
    kinds: list[Callable[[str], Row]] = [
        lambda path: {"type": "image", "image": path},
        lambda path: {"type": "image_url", "image_url": {"url": path}},
        lambda path: {"type": "image", "path": path},
    ]
    row = messages(content)
    row.pop("images", None)
    for number, message in enumerate(row["messages"]):
        pieces = message["content"].split("<image>")
        parts: list[Row] = [{"type": "text", "text": pieces[0]}]
        for piece in pieces[1:]:
            parts += [kinds[number % 3](next(paths)), {"type": "text", "text": piece}]
        message["content"] = parts
    return row


def conversations(content: Content) -> Row:
    names = {"user": "human", "assistant": "gpt"}
    row = common(content, objects=content.object_list)
    if "images" in row:
        listed = row.pop("images")
        row["image"] = listed[0] if len(listed) == 1 else listed
        row["width"] = [SIZES[path].width for path in listed] if len(listed) > 1 else SIZES[listed[0]].width
        row["height"] = [SIZES[path].height for path in listed] if len(listed) > 1 else SIZES[listed[0]].height
    return {"id": 7, "conversations": [{"from": names[role], "value": text} for role, text in chat(content)], **row}


def conversations_columns(content: Content) -> Row:
    row = common(content, objects=content.columns)
    entries = [{"from": role, "value": text} for role, text in chat(content)]
    if content.system is not None:
        entries.insert(0, {"from": "system", "value": row.pop("system")})
    return {"conversations": entries, **row}


FORMS = [
    native_as_text, native_columns, native_inline, alpaca, messages, messages_columns, messages_columns_as_text,
    messages_parts, conversations, conversations_columns,
]  # fmt: skip


@cache
def encoder() -> Encoder:
    return make_encoder("internvl2-1b", TOKENIZER)


def encode(row: Row) -> tuple[list[int], list[int], Any, str, str]:
    record, problems = read_record(row, Location("rows.jsonl", 1))
    assert record is not None, problems
    sizes = [SIZES[ref.source] for ref in record.images]
    layout = lay_out(record, encoder().settings, image_sizes=sizes)
    (sample,) = encoder().encode([layout])
    return sample.input_ids.tolist(), sample.labels.tolist(), layout.boxes, layout.prompt, layout.response


@settings(max_examples=150, deadline=None)
@given(content=contents())
def test_all_forms_encode_alike(content: Content) -> None:
    expected = encode(native(content))
    for form in FORMS:
        assert encode(form(content)) == expected, form.__name__


FIXED = [
    Content([("<image>\nWhat?", "Red.")], ["red.png"]),
    Content([("What is two and one?", "Three.")], [], system="Be brief."),
    Content([("See <image> and <image>\nwell", "Both."), ("And?", "No.")], ["red.png", "blue.png"], system=""),
    Content([("<image>Find all", "<ref-object><bbox> <ref-object><bbox>")], ["red.png"],
            [[1, 2, 30, 40], [5.5, 6, 60, 47.25]], ["a cat", "猫"], "real", [0, 0]),
    Content([("<image><image>Find", "<ref-object><bbox>")], ["red.png", "blue.png"],
            [[0.25, 0.5, 0.75, 1]], ["tree"], "norm_1", [1]),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_all_forms_convert_alike(tmp_path: Path, form: Callable[[Content], Row]) -> None:
    for number, (name, size) in enumerate(SIZES.items()):
        write_png(tmp_path / name, (80 * number, 9, 9), (size.width, size.height))
    columns = ["input_ids", "labels", "length", "num_trained_tokens", "images", "prompt", "response", "boxes"]
    tables = []
    for make in (native, form):
        path = write_rows(tmp_path / f"{make.__name__}.jsonl", [make(content) for content in FIXED])
        assert lint([path]).findings == []
        convert([path], tmp_path / make.__name__, make_options(max_num=2))
        rows = read_table(tmp_path / make.__name__ / "samples-00000.arrow")
        tables.append([[row[column] for column in columns] for row in rows])
    assert len(tables[0]) == len(FIXED)
    assert tables[1] == tables[0]


# Captions and boxes counted apart, as only columns can


def test_one_phrase_for_two_boxes_encodes_as_its_text_says() -> None:
    row = {
        "messages": [
            {"role": "user", "content": "<image>Find the <ref-object>"},
            {"role": "assistant", "content": "<bbox><bbox>"},
        ],
        "images": ["red.png"],
        "objects": {"ref": ["sheep"], "bbox": [[0, 0, 32, 24], [32, 24, 64, 48]]},
    }
    by_hand = {
        "query": "<image>Find the <ref>sheep</ref>",
        "response": "<box> [[0, 0, 499, 499]] </box><box> [[499, 499, 999, 999]] </box>",
        "images": ["red.png"],
    }
    got, expected = encode(row), encode(by_hand)
    assert got[:2] == expected[:2]
    assert [box.caption for box in got[2]] == ["sheep", "sheep"]


@pytest.mark.parametrize(
    ("query", "answer", "refs", "captions"),
    [
        ("<ref-object> and <ref-object>", "<bbox><bbox><bbox>", ["a", "b"], ["", "", ""]),
        ("all", "<ref-object><bbox><bbox>, <ref-object><bbox>", ["a", "b"], ["a", "a", "b"]),
        ("what is at <bbox>, <bbox> and <bbox>?", "<ref-object>", ["a"], ["", "", ""]),
    ],
)
def test_a_box_bears_the_one_caption_before_it(query: str, answer: str, refs: list[str], captions: list[str]) -> None:
    boxes = [[1, 1, 9, 9], [2, 2, 9, 9], [3, 3, 9, 9]]
    objects = {"ref": refs, "bbox": boxes, "bbox_type": "real", "image_id": None}
    row = {"query": f"<image>{query}", "response": answer, "images": ["red.png"], "objects": objects}
    assert [box.caption for box in encode(row)[2]] == captions


def test_a_phrase_without_a_box_is_put_in_too() -> None:
    row = {"query": "<image>Is there a <ref-object>?", "response": "No.", "images": ["red.png"]}
    filled = encode(row | {"objects": {"ref": ["cat"], "bbox": []}})
    assert filled == encode(row | {"query": "<image>Is there a <ref>cat</ref>?"})


def test_grounding_text_of_internvl_stays_as_it_is() -> None:
    text = "<ref>the cat</ref><box>[[10, 20, 300, 400]]</box>"
    turns = [{"from": "human", "value": "<image>\nWhere is <ref>the cat</ref>?"}, {"from": "gpt", "value": text}]
    row = {"conversations": turns, "image": "red.png", "width": 64, "height": 48}
    assert encode(row)[4] == text
