"""The demo's data set on disk: pictures, a clip, and three files of rows.

`first.jsonl` is about pictures of one shape, `train.jsonl` about pictures of one to three, with the planted defects,
`val.jsonl` holds the questions that the model is judged by. No held-out picture has the very shapes, at the very
places, of a training picture. Bytes are a pure function of the settings. `Dataset` remembers what a file cannot
say: the kind of each held-out question, and where each defect stands.
"""

import json
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np

from train.demo.defects import DEFECTS, plant
from train.demo.rows import Json, held_out_rows, paired_row, text_rows, training_row, video_row
from train.demo.scenes import CANVAS_PX, COUNTS, Scene, Shape, draw, make_scene, move

FIRST_FAMILY, TRAIN_FAMILY, VAL_FAMILY, VIDEO_FAMILY, MODEL_FAMILY = "first", "train", "val", "video", "model"
HELD_OUT_COUNTS = (1, 1, 1, 2)
"""Numbers of shapes of a held-out scene: three in four have one, which is asked for its colour, too."""
_VIDEO_FRAMES, _VIDEO_RATE = 16, 8
_SCENES_PER_PAIR = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetConfig:
    """How much is drawn."""

    num_first_scenes: int = 4000
    """Pictures of one shape, to begin with."""
    num_scenes: int = 4500
    """Pictures of one to three shapes, to go on with."""
    rows_per_scene: int = 2
    """Rows about each picture to train on."""
    num_val_scenes: int = 100
    """Held-out pictures; each is asked one question of every kind."""
    seed: int = 0
    """Of scenes, questions and initial weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """What was drawn."""

    first: Path
    """`first.jsonl`."""
    train: Path
    """`train.jsonl`."""
    val: Path
    """`val.jsonl`."""
    num_rows: int
    """Lines of the three files together, defects included."""
    planted: dict[int, str]
    """Line of each planted defect in `train`, and the code of the rule that must find it."""
    val_kinds: tuple[str, ...]
    """Kind of the question on each line of `val`."""
    val_images: tuple[str, ...]
    """Picture of each line of `val`, relative to the folder."""
    train_boxes: np.ndarray
    """Boxes of all shapes in the training pictures, float64 (N, 4), 0..1 of the picture."""


def write_dataset(folder: Path, config: DatasetConfig) -> Dataset:
    """Draw the data set into `folder`, which is made."""
    for name in ("images", "videos"):
        (folder / name).mkdir(parents=True)
    first_scenes = _make_scenes(FIRST_FAMILY, config.num_first_scenes, config.seed, counts=(1,))
    scenes = _make_scenes(TRAIN_FAMILY, config.num_scenes, config.seed, counts=COUNTS)
    val_scenes = _make_scenes(VAL_FAMILY, config.num_val_scenes, config.seed, counts=HELD_OUT_COUNTS)
    first_rows = _rows(FIRST_FAMILY, first_scenes, _save(folder, FIRST_FAMILY, first_scenes), config)
    images = _save(folder, TRAIN_FAMILY, scenes)
    lines, planted = _train_lines(folder, scenes, images, config)
    val_images = _save(folder, VAL_FAMILY, val_scenes)
    rng = random.Random(f"questions/{VAL_FAMILY}/{config.seed}")
    val = [
        (kind, image, row)
        for scene, image in zip(val_scenes, val_images, strict=True)
        for kind, row in held_out_rows(rng, scene, image)
    ]
    return Dataset(
        first=_write_lines(folder / "first.jsonl", [json.dumps(row) for row in first_rows]),
        train=_write_lines(folder / "train.jsonl", lines),
        val=_write_lines(folder / "val.jsonl", [json.dumps(row) for _, _, row in val]),
        num_rows=len(first_rows) + len(lines) + len(val),
        planted=planted,
        val_kinds=tuple(kind for kind, _, _ in val),
        val_images=tuple(image for _, image, _ in val),
        train_boxes=np.array([shape.box for scene in scenes for shape in scene.shapes]) / CANVAS_PX,
    )


def _make_scenes(family: str, number: int, seed: int, *, counts: Sequence[int]) -> list[Scene]:
    """Return scenes of a family, held-out ones for the family that is judged by, others for all that are trained on."""
    drawn = (make_scene(seed, f"{family}/{index}", counts=counts) for index in count())
    return list(islice((scene for scene in drawn if is_held_out(scene) == (family == VAL_FAMILY)), number))


def is_held_out(scene: Scene) -> bool:
    """Whether a scene is never trained on: a tenth of all scenes, chosen by their shapes and places alone."""
    return zlib.crc32(repr(scene.shapes).encode()) % 10 == 0


def _rows(family: str, scenes: list[Scene], images: list[str], config: DatasetConfig) -> list[Json]:
    rng = random.Random(f"questions/{family}/{config.seed}")
    rows = [
        training_row(rng, scene, image)
        for _ in range(config.rows_per_scene)
        for scene, image in zip(scenes, images, strict=True)
    ]
    return list({json.dumps(row): row for row in rows}.values())  # a question that was drawn twice is asked once


def _train_lines(
    folder: Path, scenes: list[Scene], images: list[str], config: DatasetConfig
) -> tuple[list[str], dict[int, str]]:
    """Return the lines of `train.jsonl`, and the line and code of each planted defect."""
    rng = random.Random(f"more/{TRAIN_FAMILY}/{config.seed}")
    rows = _rows(TRAIN_FAMILY, scenes, images, config)
    pairs = range(0, len(scenes) - 1, _SCENES_PER_PAIR)
    rows += [paired_row(rng, scenes[k : k + 2], images[k : k + 2]) for k in pairs]
    rows += [*text_rows(), _video(folder, config)]
    rng.shuffle(rows)
    lines = [json.dumps(row) for row in rows]
    planted = {}
    for number, defect in enumerate(DEFECTS):
        line = (number + 1) * (len(lines) // (len(DEFECTS) + 1))
        lines.insert(line - 1, plant(defect, scenes[number], images[number]))
        planted[line] = defect.code
    return lines, planted


def _video(folder: Path, config: DatasetConfig) -> Json:
    """Write the clip and return its row: the first shape of a scene crosses the picture."""
    scene = make_scene(config.seed, f"{VIDEO_FAMILY}/0")
    shape: Shape = scene.shapes[0]
    alone = Scene(scene.ground, (shape,))
    steps = np.linspace(0, 1, _VIDEO_FRAMES)
    _write_video(folder / "videos/crossing.mp4", [np.asarray(draw(move(alone, float(step)))) for step in steps])
    return video_row("videos/crossing.mp4", shape)


def _write_video(path: Path, frames: list[np.ndarray]) -> None:
    """Write RGB frames, uint8 (H, W, 3), as an MP4 file; one thread, so that the bytes are the same anywhere."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=_VIDEO_RATE)
        stream.width = stream.height = CANVAS_PX
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _save(folder: Path, family: str, scenes: list[Scene]) -> list[str]:
    """Draw scenes into files; return their names relative to `folder`."""
    names = [f"images/{family}-{number:05d}.png" for number in range(len(scenes))]
    for name, scene in zip(names, scenes, strict=True):
        draw(scene).save(folder / name, compress_level=1)
    return names


def _write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path
