"""What stands twice, and what leaks from one side of the split to the other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataprep import lint
from dataprep.config import LintConfig, RuleConfig
from dataprep.corpus import Corpus, Facts
from dataprep.errors import DataprepError
from dataprep.findings import Finding, Location
from dataprep.leakage import MOST_DISTANT, disagreements, near_matches, repeats
from dataprep.rules.base import RuleContext
from dataprep.rules.duplicates.picture_in_both_splits import PictureInBothSplits
from dataprep.rules.frames import video_of

Row = dict[str, Any]


def write(path: Path, rows: Sequence[Row | str]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


def picture(path: Path, color: tuple[int, int, int] = (200, 30, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), color).save(path, "PNG")
    return path


def image_row(*names: str, query: str = "What?", response: str = "Red.") -> Row:
    return {"query": "<image>" * len(names) + query, "response": response, "images": list(names)}


def find(code: str, train: str, *val: str, level: int = 2, jobs: int = 1) -> list[Finding]:
    report = lint([train], LintConfig(level=level, val=val, jobs=jobs, rules=RuleConfig(select=(code,))))
    assert len(report.findings) == sum(summary.rows for summary in report.by_code.values())
    return report.findings


@pytest.mark.parametrize("level", [2, 3])
@pytest.mark.parametrize("jobs", [1, 2])
def test_d501_names_every_later_copy(tmp_path: Path, level: int, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataprep.blocks.SLICE_BYTES", 64)
    rows = [{"query": f"{n}?", "response": "r"} for n in (1, 2, 1, 3, 2, 1)]
    findings = find("D501", write(tmp_path / "rows.jsonl", rows), level=level, jobs=jobs)
    assert [finding.location.line for finding in findings] == [3, 5, 6]
    assert findings[1].message.endswith("rows.jsonl:2")


@pytest.mark.parametrize(("level", "lines"), [(1, []), (2, [2])])
def test_d501_compares_content_where_rows_are_read_anyway(tmp_path: Path, level: int, lines: list[int]) -> None:
    same = [
        '{"query": "\\u0041", "response": "r"}',
        '{"response":"r",  "query": "A"}',
        '{"query": "a", "response": "r"}',
    ]
    findings = find("D501", write(tmp_path / "rows.jsonl", same), level=level)
    assert [finding.location.line for finding in findings] == lines


def test_d501_knows_broken_rows_by_their_text(tmp_path: Path) -> None:
    findings = find("D501", write(tmp_path / "rows.jsonl", ["{broken", "{broken", "{broke"]))
    assert [finding.location.line for finding in findings] == [2]


def test_d502_is_said_once_per_question(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    rows = [image_row("a.png", response=text) for text in ("Red.", "Red.", "Blue.", "Green.")]
    others = [image_row("a.png", query="Who?", response="I."), {"query": "What?", "response": "x"}]
    text_only = {"query": "What?", "response": "y"}
    (finding,) = find("D502", write(tmp_path / "rows.jsonl", [*rows, *others, text_only]))
    assert finding.location.line == 3
    assert finding.message.startswith("4 rows ask the same question about the same media and give 3 different answers")
    assert finding.message.endswith("rows.jsonl:1")


def test_d502_counts_captions_and_boxes_as_text(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")

    def grounded(caption: str, box: list[int]) -> Row:
        entry = {"caption": caption, "bbox": box, "bbox_type": "real", "image": 0}
        return image_row("a.png", query="find <ref-object>", response="<bbox>") | {"objects": [entry]}

    rows = [grounded("cat", [1, 2, 3, 4]), grounded("dog", [1, 2, 3, 4]), grounded("cat", [1, 2, 3, 4])]
    assert not find("D502", write(tmp_path / "rows.jsonl", rows))
    (finding,) = find("D502", write(tmp_path / "more.jsonl", [*rows, grounded("dog", [2, 2, 3, 4])]))
    assert finding.location.line == 4


def test_d503_is_about_the_other_side_only(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", [{"query": "1?", "response": "r"}, {"query": "2?", "response": "r"}])
    val = write(tmp_path / "val.jsonl", [{"query": "3?", "response": "r"}, {"query": "2?", "response": "r"}])
    (finding,) = find("D503", train, val)
    assert (finding.location, finding.severity) == (Location(val, 2), "error")
    assert f"{train}:2" in finding.message
    assert not find("D501", train, val), "once on each side is no duplicate"
    assert not find("D503", train)


def test_d504_knows_a_file_through_links_and_a_copy_at_level_3(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to("a.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "copy.png")
    picture(tmp_path / "other.png", (1, 2, 3))
    train = write(tmp_path / "train.jsonl", [image_row("other.png", "a.png")])
    val = write(tmp_path / "val.jsonl", [image_row("link.png", query="Who?"), image_row("copy.png")])
    (finding,) = find("D504", train, val)
    assert finding.location == Location(val, 1)
    assert "link.png is trained on as a.png" in finding.message
    assert [f.location.line for f in find("D504", train, val, level=3)] == [1, 2]
    assert not find("D504", train)


def corpus_of_pictures(train: list[int], val: list[int]) -> Corpus:
    corpus = Corpus(paths=["train", "val"], val_paths=frozenset({"val"}))
    for path, hashes in (("train", train), ("val", val)):
        facts = Facts()
        for number, picture_hash in enumerate(hashes, start=1):
            media = facts.media
            media.lines.append(number)
            media.files.append(0)
            media.contents.append(hash((path, number)))
            media.pictures.append(picture_hash)
            media.videos.append(0)
            media.names += b"p.png"
            media.name_bytes.append(5)
        corpus.add(path, facts)
    return corpus


def test_d505_takes_near_hashes_for_one_picture() -> None:
    one = 0x123456789ABCDEF0
    near, far = one ^ 0b111111, one ^ 0b1111111
    corpus = corpus_of_pictures([0, one], [0, near, far, one])
    problems = list(PictureInBothSplits().check_corpus(corpus, RuleContext()))
    assert [(p.location.line, p.message.count(" (6 of 64")) for p in problems] == [(2, 1), (4, 0)]
    assert "trained on at train:2" in problems[0].message


def test_near_hashes_are_all_found() -> None:
    random = np.random.default_rng(1)
    train = random.integers(1, 2**63, 300).astype(np.uint64)
    val = train[random.permutation(300)[:100]].copy()
    for index in range(100):
        for bit in random.permutation(64)[: index % 12]:
            val[index] ^= np.uint64(1) << np.uint64(bit)
    exact = [min((int(t) ^ int(v)).bit_count() for t in train) for v in val]
    found = {entry: distance for _, entry, distance in near_matches(train, val)}
    assert found == {entry: distance for entry, distance in enumerate(exact) if distance <= MOST_DISTANT}


def test_d506_frames_of_one_video_once_per_file(tmp_path: Path) -> None:
    for name in ("clip1/frame_001.png", "clip1/frame_002.png", "clip1/frame_003.png", "clip2/frame_001.png", "7.png"):
        picture(tmp_path / name)
    train = write(tmp_path / "train.jsonl", [image_row("clip1/frame_001.png"), image_row("7.png")])
    names = ["clip2/frame_001.png", "clip1/frame_003.png", "clip1/frame_002.png"]
    val = write(tmp_path / "val.jsonl", [image_row(name) for name in names])
    (finding,) = find("D506", train, val)
    assert finding.location == Location(val, 2)
    assert "clip1/frame_003.png is of the same video as clip1/frame_001.png" in finding.message


@pytest.mark.parametrize(
    ("path", "video"),
    [
        ("/d/clip/frame_0001.jpg", "/d/clip"),
        ("/d/clip7_frame12.png", "/d/clip7"),
        ("/d/clip.mp4/0001.jpg", "/d/clip"),
        ("/d/clip_mp4-12_jpg.rf.4ac1.jpg", "/d/clip"),
        ("/d/COCO_val2014_000000001.jpg", None),
        ("/d/images/0001.jpg", None),
        ("/d/frame.jpg", None),
    ],
)
def test_names_of_frames(path: str, video: str | None) -> None:
    assert video_of(path) == video
    assert video_of("/d/clip.mp4", is_video=True) == "/d/clip"


def test_searches_of_nothing_find_nothing() -> None:
    none = np.empty(0, dtype=np.int64)
    assert not list(repeats(none))
    assert not list(repeats(np.zeros(3, dtype=np.int64)))
    assert not list(disagreements(none, none))
    assert not list(disagreements(np.array([0, 0]), np.array([1, 2])))


def test_hashes_of_processes_with_other_seeds_are_refused() -> None:
    corpus = Corpus(paths=["a"])
    corpus.add("a", Facts(seed_check=1))
    with pytest.raises(DataprepError, match="-j 1"):
        corpus.add("a", Facts(seed_check=2))


def test_d505_sees_a_picture_in_another_size_and_encoding(goldens: Path, tmp_path: Path) -> None:
    names = sorted(p.name for p in (goldens / "images").glob("*.jpg"))[:4]
    for name in names:
        shutil.copy(goldens / "images" / name, tmp_path / name)
    with Image.open(tmp_path / names[1]) as picture_1:
        picture_1.convert("RGB").resize((picture_1.width // 2, picture_1.height // 2)).save(tmp_path / "half.png")
    train = write(tmp_path / "train.jsonl", [image_row(name) for name in names])
    val = write(tmp_path / "val.jsonl", [image_row("half.png")])
    findings = find("D505", train, val, level=3)
    assert [finding.location for finding in findings] == [Location(val, 1)]
    assert not find("D504", train, val, level=3)


def test_declared_splits_are_held_against_each_other(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (40, 30), (90 * number, 20, 20)).save(tmp_path / f"{number}.png")
    row = {"query": "<image>What?", "response": "A colour.", "images": ["0.png"]}
    others = [{"query": f"Number {number}?", "response": f"It is {number}."} for number in range(3)]
    rows = [
        row | {"split": "train"},
        others[0] | {"split": "train"},
        others[0] | {"split": "test"},
        row | {"split": "val", "query": "<image>And this?"},
        others[1] | {"split": "val"},
        others[1] | {"split": "val"},
        others[2],
        row | {"images": ["1.png"]},
        row | {"images": ["1.png"], "split": "val"},
    ]
    source = tmp_path / "rows.jsonl"
    for count, expected in ((len(rows), {("D503", 3), ("D504", 4), ("D501", 6), ("D503", 9), ("D504", 9)}), (2, set())):
        source.write_text("".join(json.dumps(row) + "\n" for row in rows[:count]), encoding="utf-8")
        report = lint([str(source)], LintConfig())
        assert {(f.code, f.location.line) for f in report.findings if f.code.startswith("D50")} == expected


def test_rows_of_a_val_file_may_say_otherwise(tmp_path: Path) -> None:
    row = {"query": "What?", "response": "That."}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    for split, expected in (("val", ["D503"]), ("train", ["D501"])):
        (tmp_path / "val.jsonl").write_text(json.dumps(row | {"split": split}) + "\n", encoding="utf-8")
        report = lint([str(tmp_path / "train.jsonl")], LintConfig(val=(str(tmp_path / "val.jsonl"),)))
        assert [f.code for f in report.findings if f.code.startswith("D5")] == expected
