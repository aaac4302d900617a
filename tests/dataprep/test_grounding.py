"""Boxes: the reference's arithmetic on real annotations, the text of every family and the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataprep.grounding import BBOX_TYPES, BOX_STYLES, BoxCodec, limits, to_unit

CODECS = [BoxCodec(style=style, family=family) for style in BOX_STYLES for family in ("internvl2", "v1_5")]
SWIFT, SWIFT_V1_5, INTERNVL, INTERNVL_V1_5 = CODECS
IDS = [f"{codec.style}-{codec.family}" for codec in CODECS]


@pytest.fixture(scope="module")
def real_boxes(real_rows: Path) -> list[dict[str, Any]]:
    boxes = json.loads((real_rows / "EXPECTED_boxes.json").read_text(encoding="utf-8"))
    assert len(boxes) > 600
    return boxes


@pytest.mark.parametrize(
    ("codec", "bbox_type", "source", "expected"),
    [
        (SWIFT, "real", "real", "swift_2024_real_to_999"),
        (SWIFT, "norm_1", "norm_1", "swift_2024_norm_1_to_999"),
        (SWIFT, "norm_1000", "norm_1000", "swift_2024_norm_1000_kept"),
        (INTERNVL, "real", "real", "new_swift_round_1000"),
        (INTERNVL, "norm_1000", "norm_1000", "norm_1000"),
    ],
)
def test_real_boxes(
    real_boxes: list[dict[str, Any]], codec: BoxCodec, bbox_type: str, source: str, expected: str
) -> None:
    compared = 0
    for box in real_boxes:
        if source in box and expected in box:
            found = codec.to_model(box[source], bbox_type, box["width"], box["height"])
            assert found == box[expected], box
            compared += 1
    assert compared > 600


@pytest.mark.parametrize(
    ("box", "bbox_type", "expected"),
    [
        ([0, 0, 640, 480], "real", [0, 0, 999, 999]),
        ([320, 240, 640, 480], "real", [499, 499, 999, 999]),
        ([138.4, 136.6, 235, 359], "real", [216, 284, 366, 747]),
        ([0.2, 0.25, 0.9999, 1.0], "norm_1", [199, 249, 998, 999]),
        ([1, 1.5, 3.25, 1000], "norm_1000", [1, 1.5, 3.25, 1000]),
    ],
)
def test_swift_divides_first_and_truncates(box: list[float], bbox_type: str, expected: list[float]) -> None:
    found = SWIFT.to_model(box, bbox_type, 640, 480)
    assert [repr(c) for c in found] == [repr(c) for c in expected]


def test_swift_is_not_the_integer_formula() -> None:
    assert 7 * 999 // 111 == 63
    assert SWIFT.to_model([7, 0, 7, 0], "real", 111, 111) == [62, 0, 62, 0]


def test_internvl_rounds_and_clips() -> None:
    assert INTERNVL.to_model([320, 240, 641, 500], "real", 640, 480) == [500, 500, 1000, 1000]
    assert INTERNVL.to_model([0.0004, 0.0006, 0.5, 1], "norm_1", 640, 480) == [0, 1, 500, 1000]
    assert INTERNVL.to_model([1.4, 2.6, 3, 1000], "norm_1000", 640, 480) == [1, 3, 3, 1000]


@pytest.mark.parametrize(
    ("codec", "one", "two", "caption"),
    [
        (SWIFT, "<box> [[1, 2, 3, 4]] </box>", "<box> [[1, 2, 3, 4],[5, 6, 7, 8]] </box>", "<ref>cat</ref>"),
        (SWIFT_V1_5, "[(1,2),(3,4)]", "[(1,2),(3,4)],[(5,6),(7,8)]", "cat"),
        (INTERNVL, "<box>[[1, 2, 3, 4]]</box>", "<box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box>", "<ref>cat</ref>"),
        (INTERNVL_V1_5, "<box>[[1, 2, 3, 4]]</box>", "<box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box>", "<ref>cat</ref>"),
    ],
    ids=IDS,
)
def test_text_of_boxes_and_captions(codec: BoxCodec, one: str, two: str, caption: str) -> None:
    assert codec.format_boxes([[1, 2, 3, 4]]) == one
    assert codec.format_boxes([[1, 2, 3, 4], [5, 6, 7, 8]]) == two
    assert codec.format_caption("cat") == caption


UNIT = st.floats(0, 1)
SIZE = st.integers(1, 4000)


@pytest.mark.parametrize("codec", CODECS, ids=IDS)
@given(boxes=st.lists(st.tuples(UNIT, UNIT, UNIT, UNIT), min_size=1, max_size=3), width=SIZE, height=SIZE)
@example(boxes=[(0.0, 0.0, 1.0, 1.0)], width=1, height=1)
@example(boxes=[(1e-300, 5e-324, 1.0, 0.1)], width=3, height=7)
def test_what_is_written_is_read_back_to_within_a_step(
    codec: BoxCodec, boxes: list[tuple[float, ...]], width: int, height: int
) -> None:
    real = [[x1 * width, y1 * height, x2 * width, y2 * height] for x1, y1, x2, y2 in boxes]
    for bbox_type, given_boxes in (("norm_1", boxes), ("real", real)):
        written = [codec.to_model(box, bbox_type, width, height) for box in given_boxes]
        text = f"the [1] {codec.format_boxes(written)} end (1,2)"
        found = codec.parse_boxes(text)
        assert len(found) == len(boxes)
        for box, read in zip(boxes, found, strict=True):
            # One step of the scale, and of the truncation that swift does.
            assert all(abs(a - b) <= 1 / codec.scale + 1e-9 for a, b in zip(box, read, strict=True))
        steps = [[round(c * codec.scale) for c in read] for read in found]
        assert steps == written, "the numbers in the text are read exactly"


@pytest.mark.parametrize("codec", CODECS, ids=IDS)
def test_text_without_boxes_has_none(codec: BoxCodec) -> None:
    for text in ("", "no box", "<box></box>", "[1, 2, 3]", "[[1, 2, 3, x]]", "(1,2)", "[1 2 3 4]"):
        assert codec.parse_boxes(text) == []


def test_models_may_write_boxes_loosely() -> None:
    assert SWIFT.parse_boxes("<box>[[0,0, 999,999]]</box>") == [(0, 0, 1, 1)]
    assert SWIFT.parse_boxes("[[0, 0, 1998, -5]]") == [(0, 0, 1, 0)], "clipped to the image"
    assert SWIFT_V1_5.parse_boxes("( 0 , 0 ) , (999,999)") == [(0, 0, 1, 1)]
    assert INTERNVL.parse_boxes("[500, 250.5, 750, 1000]") == [(0.5, 0.2505, 0.75, 1)]
    assert SWIFT.parse_boxes("[[9, 0, 1, 0]]")[0][0] > SWIFT.parse_boxes("[[9, 0, 1, 0]]")[0][2], "not sorted"


def test_units_and_limits() -> None:
    assert to_unit([160, 120, 320, 480], "real", 640, 480) == (0.25, 0.25, 0.5, 1)
    assert to_unit([250, 0, 500, 1000], "norm_1000", 640, 480) == (0.25, 0, 0.5, 1)
    assert to_unit([0, 0.5, 1, 1], "norm_1", 640, 480) == (0, 0.5, 1, 1)
    assert [limits(bbox_type, 640, 480) for bbox_type in BBOX_TYPES] == [(640, 480), (1, 1), (1000, 1000)]


@pytest.mark.parametrize("bbox_type", ["real", "norm_1", "norm_1000"])
def test_numbers_that_no_float_holds_lie_far_outside(bbox_type: str) -> None:
    x1, y1, x2, y2 = to_unit([-(10**400), 0, 10**400, 1], bbox_type, 64, 48)
    assert x1 < -1e290
    assert x2 > 1e290
    assert (y1, y2) == to_unit([0, 0, 1, 1], bbox_type, 64, 48)[1::2]
