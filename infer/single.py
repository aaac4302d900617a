"""Answer one question about some images or videos, encoded exactly as conversion encodes a row.

The conventions (system prompt, tiles, box style) come from the training run whose folder is given, if there is
one, so that a trained model is asked the way it was taught; options go first. No history, no streaming, no
URLs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dataprep.encode import Encoder
from dataprep.findings import Location
from dataprep.grounding import BoxCodec
from dataprep.layouts import Layout, VideoSize, lay_out
from dataprep.media.decode import cut_tiles, open_rgb
from dataprep.media.isolation import probe_video, read_frames
from dataprep.media.video import choose_frames
from dataprep.records import Record, Turn
from dataprep.tags import IMAGE, VIDEO
from dataprep.tiling import ImageSize
from infer.conventions import read_conventions
from infer.engine import GenerationSettings, Prompt, generate
from infer.errors import ModelError
from infer.loading import load_encoder
from infer.model import ModelOptions, load_model


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked, and of what."""

    query: str
    """Text; ``<image>`` and ``<video>`` say where media stand, missing tags are added."""
    images: tuple[Path, ...] = ()
    """Image files, in the order of their tags."""
    videos: tuple[Path, ...] = ()
    """Video files, in the order of their tags."""
    system: str | None = None
    """System prompt; None means the run's or the template's, ``""`` none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InferOptions:
    """Which model answers, and how."""

    model_dir: Path
    """Folder of the model and its tokenizer."""
    adapter: Path | None = None
    """Folder of a trained adapter."""
    model_type: str | None = None
    """Catalog name, which decides about the template; None takes it from the training run."""
    max_new_tokens: int = 256
    """Most tokens of the answer."""
    model: ModelOptions = field(default_factory=ModelOptions)
    """Device, type and attention."""


def answer_question(question: Question, options: InferOptions) -> dict[str, Any]:
    """Return ``response`` and, where the answer has any, ``boxes`` as 0..1 of the image.

    Raises:
        ModelError: If the model cannot be loaded, or the question does not fit it.
        MediaError: If an image or video cannot be read.
    """
    run = read_conventions(options.adapter or options.model_dir)
    encoder = load_encoder(options.model_dir, options.model_type, run=run)
    _check_question(question, encoder)
    pictures = [
        open_rgb(_read(path), apply_exif=run.get("exif") == "apply", name=str(path)) for path in question.images
    ]
    videos, frames = _read_videos(question.videos, encoder.settings.video_frames)
    system = run.get("system") if question.system is None else question.system
    layout = lay_out(
        Record(
            location=Location("question", 1),
            row_format="native",
            system=system,
            turns=(Turn(question.query, ""),),
        ),
        encoder.settings,
        image_sizes=[ImageSize(*picture.size) for picture in pictures],
        video_sizes=videos,
        is_prompt=True,
    )
    prompt = Prompt(encoder.encode([layout])[0].input_ids, _tiles(layout, pictures, frames, encoder))
    model = load_model(options.model_dir, options.model, adapter=options.adapter)
    settings = GenerationSettings(stop_ids=_stop_ids(encoder), max_new_tokens=options.max_new_tokens)
    response = encoder.tokenizer.plain_text(generate(model, [prompt], settings)[0])
    codec: BoxCodec = encoder.settings.codec
    return {"query": question.query, "response": response, "boxes": [list(box) for box in codec.parse_boxes(response)]}


def _check_question(question: Question, encoder: Encoder) -> None:
    kind = encoder.settings.model_type
    for tag, paths, option in ((IMAGE, question.images, "--image"), (VIDEO, question.videos, "--video")):
        if question.query.count(tag) > len(paths):
            raise ModelError(
                f"the query has {question.query.count(tag)} {tag} tags, but {len(paths)} files were given; "
                f"repeat {option}"
            )
    if question.videos and not kind.has_video:
        raise ModelError(f"{kind.name} does not read videos; ask about an image, or use an internvl2 model")
    between = question.query.split(IMAGE)[1:-1]
    if not kind.has_separate_images and any(between):
        raise ModelError(f"{kind.name} takes its images back to back; move the text between the {IMAGE} tags")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"image {path} cannot be read: {error.strerror}; check --image") from error


def _read_videos(paths: Sequence[Path], num_frames: int) -> tuple[list[VideoSize], list[dict[int, Image.Image]]]:
    sizes, frames = [], []
    for path in paths:
        header = probe_video(path)
        indices = choose_frames(header.num_frames, num_segments=num_frames)
        arrays = read_frames(path, indices)
        sizes.append(VideoSize(header.width, header.height, tuple(indices)))
        frames.append({index: Image.fromarray(array) for index, array in zip(indices, arrays, strict=True)})
    return sizes, frames


def _tiles(
    layout: Layout, pictures: Sequence[Image.Image], frames: Sequence[dict[int, Image.Image]], encoder: Encoder
) -> np.ndarray | None:
    size = encoder.settings.tiles.tile_size_px
    chosen = [
        (pictures[placed.source] if placed.kind == "image" else frames[placed.source][placed.frame_index], placed.grid)
        for placed in layout.images
    ]
    return np.concatenate([cut_tiles(picture, grid, tile_size_px=size) for picture, grid in chosen]) if chosen else None


def _stop_ids(encoder: Encoder) -> tuple[int, ...]:
    return tuple(encoder.tokenizer.encode(encoder.settings.template.end)[-1:])
