"""From record to sample where the goldens do not reach: options, prompts, boxes, order of media."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataprep.catalog import get_model_type
from dataprep.encode import Encoder, make_encoder
from dataprep.errors import ConfigError
from dataprep.findings import Location
from dataprep.formats.reading import read_record
from dataprep.layouts import EncodeSettings, Layout, PlacedBox, VideoSize, add_missing_tags, lay_out
from dataprep.records import Record, Turn
from dataprep.templates import IGNORE_INDEX, Slot, Text
from dataprep.tiling import ImageSize
from dataprep.tokenization import CONTEXT_TOKEN, TileSettings

SETTINGS = EncodeSettings(model_type=get_model_type("internvl2-8b"), tiles=TileSettings(448, 256), system="")
V1_5 = replace(SETTINGS, model_type=get_model_type("internvl-chat-v1_5"))
SMALL, WIDE = ImageSize(448, 448), ImageSize(896, 448)


def record_of(**row: Any) -> Record:
    record, problems = read_record({"query": "q", "response": "r"} | row, Location("rows.jsonl", 1))
    assert record is not None, problems
    return record


def lay(
    settings: EncodeSettings = SETTINGS, *sizes: ImageSize, videos: int = 0, is_prompt: bool = False, **row: Any
) -> Layout:
    frames = [VideoSize(64, 48, (1, 3))] * videos
    names = {"images": [str(i) for i in range(len(sizes))], "videos": [str(i) for i in range(videos)]}
    return lay_out(record_of(**names | row), settings, image_sizes=sizes, video_sizes=frames, is_prompt=is_prompt)


def text_of(layout: Layout) -> str:
    return "".join(part.text if isinstance(part, Text) else f"[{part.first}+{part.count}]" for part in layout.parts)


@pytest.mark.parametrize(
    ("where", "queries"),
    [
        ("last", ["a<image>q1", "<image><image><video>q2"]),
        ("first", ["<image><image><video>a<image>q1", "q2"]),
    ],
)
def test_missing_tags_go_where_asked_images_before_videos(where: str, queries: list[str]) -> None:
    turns = [Turn("a<image>q1", "r1"), Turn("q2", "r2")]
    found = add_missing_tags(turns, num_images=3, num_videos=1, where=where)
    assert [turn.query for turn in found] == queries
    assert [turn.response for turn in found] == ["r1", "r2"]


def test_tags_that_are_there_stay_where_they_are() -> None:
    turns = [Turn("a<image>b", "r")]
    assert add_missing_tags(turns, num_images=1, num_videos=0, where="last") == turns


@pytest.mark.parametrize(
    ("of_row", "of_run", "expected"),
    [(None, None, "InternVL, "), (None, "run", "run"), (None, "", ""), ("row", "run", "row"), ("", "run", "")],
)
def test_whose_system_prompt_wins(of_row: str | None, of_run: str | None, expected: str) -> None:
    text = text_of(lay(replace(SETTINGS, system=of_run), system=of_row))
    assert expected in text
    assert text.startswith("<|im_start|>system\n") is bool(expected)


def test_images_go_where_the_tags_stand() -> None:
    layout = lay(SETTINGS, SMALL, WIDE, query="<image>q2", history=[["a<image>b", "r1"]])
    assert text_of(layout).startswith("<|im_start|>user\na<img>[0+1]</img>\nb<|im_end|>")
    assert "user\n<img>[1+1]</img>\nq2" in text_of(layout)
    assert [(image.source, image.grid.tiles) for image in layout.images] == [(0, 1), (1, 3)]
    assert layout.slot_tokens(256) == [256, 768]


def test_older_models_hold_all_tiles_in_one_run() -> None:
    layout = lay(V1_5, SMALL, WIDE, query="x<image><image>q")
    assert text_of(layout).startswith("<|im_start|>user\nx<img>[0+2]</img>\nq")
    assert layout.slot_tokens(256) == [1024]


def test_a_video_becomes_numbered_frames_and_takes_tiles_from_images() -> None:
    layout = lay(SETTINGS, WIDE, query="<video>then<image>q", videos=1)
    assert "user\nFrame1: <img>[0+1]</img>\nFrame2: <img>[1+1]</img>\nthen<img>[2+1]</img>\nq" in text_of(layout)
    assert [(image.kind, image.source, image.frame_index) for image in layout.images] == [
        ("frame", 0, 1), ("frame", 0, 3), ("image", 0, -1)
    ]  # fmt: skip
    assert [image.grid.tiles for image in layout.images] == [1, 1, 1]


def test_frames_are_numbered_anew_in_each_video() -> None:
    assert text_of(lay(query="<video><video>q", videos=2)).count("Frame1: ") == 2


def test_max_num_limits_tiles() -> None:
    assert [lay(replace(SETTINGS, max_num=n), ImageSize(1792, 448)).images[0].grid.tiles for n in (1, 2, 4)] == [
        1,
        3,
        5,
    ]


OBJECTS = [
    {"caption": "cat", "bbox": [0, 0, 448, 224], "bbox_type": "real", "image": 1},
    {"caption": "dog", "bbox": [[0, 0, 0.5, 1], [0.5, 0, 1, 1]], "bbox_type": "norm_1", "image": 0},
]
GROUNDED = {"query": "<ref-object> or <ref-object>", "response": "<bbox> and <bbox>", "objects": OBJECTS}


def test_captions_and_boxes_take_the_objects_in_order() -> None:
    layout = lay(SETTINGS, SMALL, WIDE, **GROUNDED)
    assert "<ref>cat</ref> or <ref>dog</ref>" in layout.prompt
    assert layout.response == "<box> [[0, 0, 499, 499]] </box> and <box> [[0, 0, 499, 999],[499, 0, 999, 999]] </box>"
    assert layout.boxes == (
        PlacedBox("cat", (0, 0, 0.5, 0.5), 1),
        PlacedBox("dog", (0, 0, 0.5, 1), 0),
        PlacedBox("dog", (0.5, 0, 1, 1), 0),
    )


def test_box_style_and_family_decide_about_the_text() -> None:
    assert lay(V1_5, SMALL, WIDE, **GROUNDED).response.startswith("[(0,0),(499,499)] and [(0,0),(499,999)],[(499,0)")
    internvl = lay(replace(SETTINGS, box_style="internvl"), SMALL, WIDE, **GROUNDED)
    assert internvl.response.startswith("<box>[[0, 0, 500, 500]]</box> and ")


def test_boxes_name_the_image_by_its_place_among_all_slots() -> None:
    entry = {"caption": "c", "bbox": [0, 0, 1, 1], "bbox_type": "norm_1", "image": 0}
    layout = lay(SETTINGS, SMALL, query="<video><image>", response="<bbox>", objects=[entry], videos=1)
    assert [box.image for box in layout.boxes] == [2]


def test_captions_are_inserted_raw() -> None:
    entry = {"caption": "a <bbox> <image>", "bbox": [0, 0, 1, 1], "bbox_type": "norm_1", "image": 0}
    layout = lay(SETTINGS, SMALL, query="find <ref-object>", response="<bbox>", objects=[entry])
    assert "<ref>a <bbox> <image></ref>" in layout.prompt
    assert len(layout.images) == 1


def test_object_tags_without_objects_are_text() -> None:
    assert "<ref-object>" in lay(query="what is <ref-object>?").prompt


def test_prompt_and_response_are_the_sample_without_its_end() -> None:
    layout = lay(SETTINGS, SMALL, history=[["q1", "r1"]], query="q2", response="r2")
    assert layout.prompt == (
        "<|im_start|>user\nq1<|im_end|><|im_start|>assistant\nr1<|im_end|><|im_start|>user\n"
        f"<img>{CONTEXT_TOKEN}</img>\nq2<|im_end|><|im_start|>assistant\n"
    )
    assert layout.response == "r2"
    prompt = lay(SETTINGS, SMALL, is_prompt=True, history=[["q1", "r1"]], query="q2", response="")
    assert (prompt.prompt, prompt.response) == (layout.prompt, "")
    assert prompt.parts == layout.parts[:-1]


@pytest.fixture(scope="module")
def encoder(goldens: Path) -> Encoder:
    return make_encoder("internvl2-8b", goldens / "tokenizer_bos", system="", max_num=2)


def test_settings_reach_the_encoder(goldens: Path) -> None:
    options: dict[str, Any] = {
        "max_num": 3, "system": "s", "box_style": "internvl", "missing_image_tag": "first", "video_frames": 4
    }  # fmt: skip
    settings = make_encoder("internvl2-4b", goldens / "tokenizer_bos", **options).settings
    assert {name: getattr(settings, name) for name in options} == options
    assert settings.template.name == "internvl2-phi3"
    assert settings.tiles == TileSettings(448, 256)
    assert make_encoder("internvl2-4b", goldens / "tokenizer_bos").settings.max_num == 12


@pytest.mark.parametrize("name", ["max_num", "video_frames"])
def test_counts_below_one_are_refused(goldens: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')} is 0, it must be at least 1"):
        make_encoder("internvl2-8b", goldens / "tokenizer_bos", **{name: 0})


def test_a_tokenizer_of_another_model_type_is_refused(goldens: Path, tmp_path: Path) -> None:
    text = (goldens / "tokenizer_bos" / "tokenizer.json").read_text(encoding="utf-8")
    (tmp_path / "tokenizer.json").write_text(text.replace('"<|end|>"', '"<|other|>"'), encoding="utf-8")
    assert make_encoder("internvl2-8b", tmp_path).settings.template.end == "<|im_end|>"
    with pytest.raises(ConfigError, match=r"has no token <\|end\|>, which ends every answer of internvl2-4b"):
        make_encoder("internvl2-4b", tmp_path)


def test_a_batch_gives_what_single_rows_give(encoder: Encoder) -> None:
    layouts = [lay(SETTINGS, SMALL), lay(query="other"), lay(SETTINGS, WIDE, SMALL, history=[["<image>q", "r"]])]
    together = encoder.encode(layouts)
    assert len(together) == 3
    for layout, sample in zip(layouts, together, strict=True):
        alone = encoder.encode([layout])[0]
        assert np.array_equal(sample.input_ids, alone.input_ids)
        assert np.array_equal(sample.labels, alone.labels)
        assert (sample.input_ids == encoder.tokenizer.context_id).sum() == sum(layout.slot_tokens(256))
        assert sample.num_trained_tokens == (sample.labels != IGNORE_INDEX).sum() > 0
    assert encoder.encode([]) == []


def test_only_answers_and_their_ends_are_trained(encoder: Encoder) -> None:
    sample = encoder.encode([lay(SETTINGS, SMALL, history=[["q1", "first"]], query="q2", response="second")])[0]
    trained = sample.labels[sample.labels != IGNORE_INDEX].tolist()
    assert encoder.tokenizer.decode(trained) == "first<|im_end|>second<|im_end|>"


def test_every_slot_counts_its_images_once() -> None:
    for settings in (SETTINGS, V1_5):
        layout = lay(settings, SMALL, WIDE, query="<image><image>q")
        covered = [part.first + i for part in layout.parts if isinstance(part, Slot) for i in range(part.count)]
        assert covered == [0, 1]
