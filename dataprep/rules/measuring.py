"""Count the tokens of rows, as conversion will: render them, tokenize the texts in one batch, add the image tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataprep.catalog import MODEL_TYPES
from dataprep.config import RowConfig
from dataprep.encode import Encoder, make_encoder
from dataprep.errors import ConfigError
from dataprep.layouts import Layout, VideoSize, lay_out
from dataprep.media.video import choose_frames
from dataprep.quick_layouts import LayoutMaker
from dataprep.rules.base import CheckedRow, RuleContext
from dataprep.rules.lengths.few_trained_tokens import SMALLEST_SHARE
from dataprep.rules.spans import part_tokens
from dataprep.templates import Text
from dataprep.tokenization import CONTEXT_TOKEN, segment_texts

if TYPE_CHECKING:
    from dataprep.tokenization import IdArray


def make_encoder_from(config: RowConfig) -> Encoder:
    """Return the encoder that a configuration asks for.

    Raises:
        ConfigError: If model type or model folder are missing or cannot be used.
    """
    if config.model_type is None:
        raise ConfigError(f"no model type; add --for with one of {', '.join(MODEL_TYPES)}")
    if config.model is None:
        raise ConfigError("no model folder; add --model with the folder that holds the model's tokenizer")
    return make_encoder(
        config.model_type,
        config.model,
        max_num=config.max_num,
        system=config.system,
        box_style=config.box_style,
        missing_image_tag=config.missing_image_tag,
        video_frames=config.video_frames,
        loss_mask=getattr(config, "loss_mask", "answers"),
    )


def measure(rows: Sequence[CheckedRow], encoder: Encoder, *, exif: str) -> None:
    """Fill in the layout and the numbers of tokens of rows without errors.

    Args:
        rows: Rows that were taken up to the level of media.
        encoder: Renders and tokenizes.
        exif: ``ignore`` or ``apply`` the EXIF orientation of images.
    """
    maker = LayoutMaker(encoder.settings)
    layouts = [lay_out_row(row, encoder, exif, maker=maker) for row in rows]
    texts = [segment_texts(layout.parts) for layout in layouts]
    segments = iter(encoder.tokenizer.encode_many([text for group in texts for text in group]))
    for row, layout, group in zip(rows, layouts, texts, strict=True):
        set_layout(row, layout, [next(segments) for _ in group], encoder)


def set_layout(row: CheckedRow, layout: Layout, segments: list[IdArray], encoder: Encoder) -> None:
    """Fill in a row's layout, the ids of its texts, and what they count."""
    row.layout = layout
    row.segments = segments
    slots = layout.slot_tokens(encoder.settings.tiles.tokens_per_tile)
    row.num_image_tokens = sum(slots)
    row.part_tokens = part_tokens(layout.parts, list(map(len, segments)), slots)
    bos = 0 if encoder.tokenizer.bos_id is None else 1
    row.num_tokens = bos + sum(row.part_tokens)


QUIET_RULES = frozenset(("L601", "L602", "L603", "L604", "L605", "L606", "L607"))
"""The rules of the level of tokens that :func:`is_quiet` stands for."""


def is_quiet(row: CheckedRow, context: RuleContext) -> bool:
    """Whether it is plain that no rule of lengths has anything to say about a measured row."""
    layout, limit = row.layout, context.max_length
    if layout is None or row.num_tokens is None or limit is None or row.num_tokens > limit:
        return False
    if row.shortening is not None:
        return False
    trained = 0
    for part, count in zip(layout.parts, row.part_tokens, strict=True):
        if type(part) is Text:
            if CONTEXT_TOKEN in part.text:
                return False
            if part.is_trained:
                trained += count
    return trained > 0 and trained > SMALLEST_SHARE * row.num_tokens


def lay_out_row(
    row: CheckedRow, encoder: Encoder, exif: str, *, maker: LayoutMaker | None = None, first_turn: int = 0
) -> Layout:
    """Return the rendering of a row that was taken up to the level of media; see :func:`dataprep.layouts.lay_out`."""
    sizes = [facts.image_size(exif=exif) for facts in row.images]
    if maker is not None and not row.videos:
        return maker.make(row.checked_record, [size for size in sizes if size is not None])
    videos = [facts.video for facts in row.videos if facts.video is not None]
    count = encoder.settings.video_frames
    frames = [tuple(choose_frames(video.num_frames, num_segments=count)) for video in videos]
    return lay_out(
        row.checked_record,
        encoder.settings,
        image_sizes=[size for size in sizes if size is not None],
        video_sizes=[VideoSize(v.width, v.height, chosen) for v, chosen in zip(videos, frames, strict=True)],
        first_turn=first_turn,
    )
