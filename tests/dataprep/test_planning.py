"""Parts: made from rows, media and options alone, and used again only where all three are the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dataprep.blocks import cut_chunks
from dataprep.parts import Chunk, Part, SplitCounts
from dataprep.planner import Planner, PlanRecipe
from dataprep.planning import plan_chunk
from dataprep.rules.base import CheckedRow
from dataprep.sources import RawRow, read_rows
from tests.dataprep.conversions import GOLDENS, image_row, make_options, read_table, text_row, write_png, write_rows


def make_chunk(source: str, *, is_val: bool = False) -> Chunk:
    (rows,) = cut_chunks(read_rows(source))
    return Chunk(0, Path(source).name, tuple(rows), ("val" if is_val else "train",) * len(rows))


def plan(source: str, folder: Path, *, is_val: bool = False, **changes: Any) -> Part:
    folder.mkdir(exist_ok=True)
    recipe = PlanRecipe(make_options(**changes), folder, Path(source).parent)
    return plan_chunk(recipe(), make_chunk(source, is_val=is_val))


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lines of the rows that were checked since the test began."""
    lines: list[int] = []
    original = Planner.check

    def check(self: Planner, raws: Sequence[RawRow]) -> list[CheckedRow]:
        lines.extend(raw.location.line for raw in raws)
        return original(self, raws)

    monkeypatch.setattr(Planner, "check", check)
    return lines


def test_a_part_says_what_later_stages_need(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    write_png(tmp_path / "b.png", (3, 2, 1))
    rows = [image_row("b.png"), image_row("gone.png"), image_row("a.png", "b.png"), text_row(1), image_row("gone.png")]
    part = plan(write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "parts")
    assert (part.num_rows, part.num_rejected, part.by_code) == (5, 2, {"M301": 2})
    count, text = part.examples["M301"]
    assert (count, text.startswith(f"{tmp_path}/rows.jsonl:2: ")) == (2, True)
    samples = read_table(tmp_path / "parts" / "part-000000.samples")
    assert part.splits == {
        "train": SplitCounts(
            rows=3,
            tokens=sum(row["length"] for row in samples),
            trained_tokens=sum(row["num_trained_tokens"] for row in samples),
            tiles=3,
        )
    }
    media = read_table(tmp_path / "parts" / "part-000000.media")
    assert [entry["path"] for entry in media] == ["b.png", "a.png"]
    assert [key for _, key in part.media_keys] == [entry["hash"].hex() for entry in media]
    assert part.media_bytes == [(tmp_path / name).stat().st_size for name in ("b.png", "a.png")]
    assert [[image["media"] for image in row["images"]] for row in samples] == [[0], [1, 0], []]
    assert all(entry["bytes"] is None for entry in media)  # they go from their file to the shard


def test_links_take_no_room_in_a_media_shard(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    source = write_rows(tmp_path / "rows.jsonl", [image_row("a.png")])
    part = plan(source, tmp_path / "parts", media="link")
    assert part.media_bytes == [0]
    assert part.media_keys == [("path", b"a.png".hex())]


def test_the_same_rows_are_not_checked_again(tmp_path: Path, checked: list[int]) -> None:
    write_png(tmp_path / "a.png", (1, 2, 3))
    source = write_rows(tmp_path / "rows.jsonl", [image_row("a.png"), text_row(1), "no json"])
    first = plan(source, tmp_path / "parts")
    assert checked == [1, 2, 3]
    assert plan(source, tmp_path / "parts", jobs=4, on_bad="skip", max_bad_ratio=0.9, val=("x",)) == first
    assert checked == [1, 2, 3]


@pytest.mark.parametrize(
    "changes",
    [
        {"max_length": 4000},
        {"max_num": 6},
        {"media": "link"},
        {"system": ""},
        {"box_style": "internvl"},
        {"split": "val=0.5"},
        {"model": GOLDENS / "tokenizer_bos"},
        {"model_type": "internvl2-8b"},
        {"exif": "apply"},
        {"is_val": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_options_make_another_part(tmp_path: Path, checked: list[int], changes: dict[str, Any]) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    plan(source, tmp_path / "parts")
    plan(source, tmp_path / "parts", **changes)
    assert checked == [1, 1]


def test_other_rows_make_another_part(tmp_path: Path, checked: list[int]) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    plan(source, tmp_path / "parts")
    write_rows(tmp_path / "rows.jsonl", ["", text_row(1)])
    plan(source, tmp_path / "parts")
    (tmp_path / "rows.jsonl").write_bytes(b"\xef\xbb\xbf\n" + json.dumps(text_row(1)).encode())
    plan(source, tmp_path / "parts")
    assert len(checked) == 3


@pytest.mark.parametrize("media", ["embed", "link"])
def test_other_media_make_another_part(tmp_path: Path, checked: list[int], media: str) -> None:
    image = write_png(tmp_path / "a.png", (1, 2, 3))
    source = write_rows(tmp_path / "rows.jsonl", [image_row("a.png")])
    plan(source, tmp_path / "parts", media=media)
    write_png(image, (1, 2, 3), (48, 24))
    plan(source, tmp_path / "parts", media=media)
    assert read_table(tmp_path / "parts" / "part-000000.samples")[0]["images"][0]["width"] == 48
    image.unlink()
    assert plan(source, tmp_path / "parts", media=media).num_rejected == 1
    write_png(image, (1, 2, 3))
    assert plan(source, tmp_path / "parts", media=media).num_rejected == 0
    assert len(checked) == 4


def test_a_part_half_replaced_is_not_taken_for_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_rows(tmp_path / "rows.jsonl", [text_row(1)])
    plan(source, tmp_path / "parts")

    def fail(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # A run with other options is stopped when the samples are written and the media are not.
        patch.setattr("dataprep.part_builder.media_batch", fail)
        patch.setattr("dataprep.part_builder.write_rejects", fail)
        with pytest.raises(KeyboardInterrupt):
            plan(source, tmp_path / "parts", system="Be brief.")
    plan(source, tmp_path / "parts")
    assert "Be brief." not in read_table(tmp_path / "parts" / "part-000000.samples")[0]["prompt"]


def test_a_rejected_row_stands_once_under_each_of_its_codes(tmp_path: Path) -> None:
    row = {"query": "<image><image>", "response": "x", "images": ["gone1.png", "gone2.png"]}
    part = plan(write_rows(tmp_path / "rows.jsonl", [row, row]), tmp_path / "parts")
    assert part.by_code == {"M301": 2}
    assert part.examples["M301"][0] == 2
    assert "gone1.png" in part.examples["M301"][1]
