"""From annotated images to native rows: one row per image, per phrase or per caption, from templates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dataprep.errors import ConfigError
from dataprep.importers.account import ImportAccount
from dataprep.importers.annotations import AnnotatedImage, LabelledBox
from dataprep.tags import BBOX, IMAGE, REF_OBJECT

TASKS = ("detect", "ground", "caption")
_QUERIES = {
    "detect": "<image>\nDetect all objects in the image.",
    "ground": "<image>\nGive the bounding box of the region that this phrase describes: <ref-object>",
    "caption": "<image>\nDescribe the image in one sentence.",
}
_ANSWERS = {"detect": "<ref-object><bbox>", "ground": "<bbox>", "caption": ""}


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportConfig:
    """How annotations become rows."""

    task: str = "detect"
    """``detect`` lists all objects of an image, ``ground`` asks for one phrase, ``caption`` for a sentence."""
    images: Path | None = None
    """Folder that image names are relative to; None is the importer's own guess."""
    query: str | None = None
    """The question, with ``<image>`` and, for ``ground``, ``<ref-object>`` or ``<bbox>``; None is the task's own."""
    answer: str | None = None
    """The answer of ``ground``, or that for each class in ``detect``, joined by line ends; None is the task's own."""
    negatives: bool = False
    """Whether images without objects become rows too (``detect``)."""
    negative_answer: str = "None"
    """The answer of such rows."""
    clip: bool = False
    """Whether boxes that leave their image are cut at its edges, and counted."""
    strict: bool = False
    """Whether damaged annotations end the import."""

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ConfigError(f"--task is {self.task!r}, expected {', '.join(TASKS)}")
        if self.negatives and self.task != "detect":
            raise ConfigError(f"--negatives asks for images without objects, which --task {self.task} has no row for")
        if self.answer is not None and self.task == "caption":
            raise ConfigError("--answer has no place in --task caption, whose answers are the captions; leave it out")
        self._check_tags()

    def _check_tags(self) -> None:
        query, answer = self.templates
        counts = {tag: (query.count(tag), answer.count(tag)) for tag in (BBOX, REF_OBJECT)}
        if IMAGE in answer or query.count(IMAGE) > 1:
            raise ConfigError(f"--query may hold {IMAGE} once and --answer not at all")
        if self.task == "ground" and (sum(counts[BBOX]) != 1 or sum(counts[REF_OBJECT]) > 1):
            raise ConfigError(f"--query and --answer must hold {BBOX} once, and {REF_OBJECT} at most once, together")
        if self.task == "detect" and (query.count(BBOX) or query.count(REF_OBJECT)):
            raise ConfigError(f"--query of --task detect speaks of all objects; put {REF_OBJECT} into --answer")
        if self.task == "detect" and (counts[BBOX][1] != 1 or counts[REF_OBJECT][1] > 1):
            raise ConfigError(f"--answer must hold {BBOX} once, and {REF_OBJECT} at most once: it is written per class")
        if self.task == "caption" and any(map(sum, counts.values())):
            raise ConfigError(f"--query of --task caption has no objects for {BBOX} or {REF_OBJECT}; leave them out")

    @property
    def templates(self) -> tuple[str, str]:
        """The question and the answer."""
        query = _QUERIES[self.task] if self.query is None else self.query
        return query, _ANSWERS[self.task] if self.answer is None else self.answer


class RowMaker:
    """Makes the rows of images and keeps the account of what comes out."""

    def __init__(self, config: ImportConfig, account: ImportAccount, *, prefix: str = "") -> None:
        """Take the task.

        Args:
            config: The task and its templates.
            account: Told of what comes out, what is left out and what is odd.
            prefix: Put before the paths of images.
        """
        self._config = config
        self._account = account
        self._prefix = prefix
        self._query, self._answer = config.templates

    def rows(self, image: AnnotatedImage) -> Iterator[dict[str, Any]]:
        """Yield the rows of one image."""
        self._account.images_in += 1
        if self._config.task == "caption":
            yield from self._caption(image)
            return
        groups = _by_label([self._check(image, box) for box in image.boxes])
        if not groups:
            yield from self._without_objects(image)
        elif self._config.task == "detect":
            answer = "\n".join([self._answer] * len(groups))
            yield self._row(image, self._query, answer, [_entry(group) for group in groups])
        else:
            for group in groups:
                yield self._row(image, self._query, self._answer, [_entry(group)])
        self._account.annotations_out += sum(map(len, groups))

    def _caption(self, image: AnnotatedImage) -> Iterator[dict[str, Any]]:
        for caption in image.captions:
            yield self._row(image, self._query, caption)
        self._account.annotations_out += len(image.captions)
        if not image.captions:
            self._account.images_left_out["no caption"] += 1

    def _without_objects(self, image: AnnotatedImage) -> Iterator[dict[str, Any]]:
        if image.has_more:
            self._account.images_left_out["only annotations that were left out"] += 1
        elif self._config.negatives:
            yield self._row(image, self._query, self._config.negative_answer)
        else:
            self._account.images_left_out["no objects"] += 1

    def _row(
        self, image: AnnotatedImage, query: str, response: str, objects: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        self._account.rows_out += 1
        row: dict[str, Any] = {"query": query, "response": response}
        prefix = "" if image.path is None or image.path.startswith("/") else self._prefix
        row["images"] = [] if image.path is None else [prefix + image.path]
        if image.width is not None and image.height is not None:
            row |= {"width": image.width, "height": image.height}
        if objects is not None:
            row["objects"] = objects
        return row

    def _check(self, image: AnnotatedImage, box: LabelledBox) -> LabelledBox:
        """Note what is wrong with a box and return it, cut at the edges of its image where that is asked for."""
        note, place = self._account.note_damage, f"{image.place}, {box.label or 'no label'} {box.corners}"
        if box.label is None:
            note("unknown category", place)
        if not box.is_box:
            note("box without four numbers", place)
            return box
        box = self._clip(image, box, place)
        x1, y1, x2, y2 = box.corners
        if x1 >= x2 or y1 >= y2:
            note("box without area", place)
        return box

    def _clip(self, image: AnnotatedImage, box: LabelledBox, place: str) -> LabelledBox:
        far = (1, 1) if box.bbox_type == "norm_1" else (image.width, image.height)
        if far[0] is None or far[1] is None:
            return box
        clipped = [min(max(value, 0), far[index % 2] or 0) for index, value in enumerate(box.corners)]
        if clipped == box.corners:
            return box
        if not self._config.clip:
            self._account.note_damage("box outside its image", place)
            return box
        if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
            self._account.note_damage("box of which nothing is left inside its image", place)
            return box
        self._account.remark("box clipped to its image", place)
        return replace(box, corners=clipped)


def _by_label(boxes: list[LabelledBox]) -> list[list[LabelledBox]]:
    """Return the boxes of each label, labels in the order of their first box; odd ones stand alone."""
    groups: dict[object, list[LabelledBox]] = {}
    for number, box in enumerate(boxes):
        key = (box.label, box.bbox_type) if box.label is not None and box.is_box else number
        groups.setdefault(key, []).append(box)
    return list(groups.values())


def _entry(group: list[LabelledBox]) -> dict[str, Any]:
    entry: dict[str, Any] = {} if group[0].label is None else {"caption": group[0].label}
    entry["bbox"] = group[0].corners if len(group) == 1 else [box.corners for box in group]
    return entry | {"bbox_type": group[0].bbox_type, "image": 0}


def to_line(row: dict[str, Any]) -> bytes:
    """Return a row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
