"""Clean rows to start from: real ones from a folder of real rows, or rows made up for a test."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.mutators.base import Row, as_conversations, as_messages, get_objects


@dataclass(frozen=True, slots=True)
class Seeds:
    """Clean rows by kind, and the folder that their media paths start at."""

    root: Path
    rows: dict[str, list[Row]]

    def copy_media(self, target: Path) -> None:
        """Copy every file that the rows name to another media root."""
        names = {path for rows in self.rows.values() for row in rows for path in media_of(row)}
        for name in sorted(names):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / name, target / name)


def media_of(row: Row) -> list[str]:
    """Return the media paths of a row."""
    return [*row.get("images", []), *row.get("videos", [])]


def load_real(folder: Path) -> Seeds:
    """Read seeds from a folder that holds ``real_rows`` and the media beside it."""

    def read(name: str) -> list[Row]:
        lines = (folder / "real_rows" / f"rows_{name}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    # By picture, not by row: the first hundred rows of a file may all be about ten pictures.
    boxes = [spread(read(f"grounding_{name}"), folder) for name in ("real", "norm_1", "norm_1000")]
    videos = [row for row in read("video") if row["query"].startswith("<video>")]
    questions = [row for row in read("vqa") if row["query"].count("<image>") == len(row["images"]) == 1]
    return Seeds(folder, arrange(read("text"), questions, boxes, read("grounding_two_images"), videos))


def spread(rows: list[Row], folder: Path) -> list[Row]:
    """Return rows reordered so that each picture comes once before any comes twice; pictures of odd sorts left out."""
    seen: dict[str, int] = {}
    ranked: list[tuple[int, int, Row]] = []
    for index, row in enumerate(rows):
        path = row["images"][0]
        if _is_plain(folder / path):
            seen[path] = seen.get(path, 0) + 1
            ranked.append((seen[path], index, row))
    return [row for _, _, row in sorted(ranked, key=lambda entry: entry[:2])]


def _is_plain(path: Path) -> bool:
    from PIL import Image

    with Image.open(path) as image:
        return image.format == "JPEG" and image.mode == "RGB" and image.getexif().get(0x0112, 1) == 1


def arrange(
    text: list[Row], questions: list[Row], boxes: list[list[Row]], two: list[Row], videos: list[Row]
) -> dict[str, list[Row]]:
    """Return rows by kind.

    Args:
        text: Rows without media.
        questions: Rows with one image and one tag.
        boxes: The same grounding rows in pixels, shares and thousandths, one object and one image each.
        two: Rows with two images, two tags and two objects.
        videos: Rows with a video and its tag.
    """
    real, norm_1, norm_1000 = boxes
    history = [
        {"query": later["query"], "response": later["response"], "history": [[row["query"], row["response"]]]}
        for row, later in pairwise(text)
    ]
    scenes = [
        {"query": f"<image>Is there a {get_objects(row)[0]['caption']} in picture {n}?", "response": f"Yes, {n}.",
         "images": row["images"]}
        for n, row in enumerate(_distinct(real))
    ]  # fmt: skip
    images = _distinct(questions) + scenes[:16]
    return {
        "text": text[:40],
        "history": history[:16],
        "messages": [as_messages(row) for row in history[:16]],
        "conversations": [as_conversations(row) for row in history[:16]],
        "image": images[:16],
        "scenes": scenes[:16],
        "mixed": [*text[:20], *images[:20]],
        "box": real[:16],
        "norm_1": norm_1[:16],
        "norm_1000": norm_1000[:16],
        "many_boxes": real[:300],
        "many_norm_1": norm_1[:300],
        "many_norm_1000": norm_1000[:300],
        "objects": two[:16],
        "two_images": [{key: row[key] for key in row if key != "objects"} | _plain_question(row) for row in two[:16]],
        "video": [row | {"query": f"{row['query']} (Part {n}.)"} for n in range(1, 5) for row in videos],
    }


def _plain_question(row: Row) -> dict[str, Any]:
    captions = [entry["caption"] for entry in get_objects(row)]
    return {
        "query": f"Image-1: <image>\nImage-2: <image>\nWhich shows {captions[0]}?",
        "response": f"The first; the second shows {captions[-1]}.",
    }


def _distinct(rows: list[Row]) -> list[Row]:
    return list({row["images"][0]: row for row in reversed(rows)}.values())[::-1]
