"""Layout -> sample: tokenize, expand, label. ``dataprep.layouts`` says what comes before the tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataprep.catalog import get_model_type
from dataprep.errors import ConfigError
from dataprep.layouts import EncodeSettings, Layout
from dataprep.loss_masks import keep_last_answers
from dataprep.templates import IGNORE_INDEX
from dataprep.tokenization import (
    TextTokenizer,
    TileSettings,
    assemble,
    load_tokenizer,
    read_tile_settings,
    segment_texts,
)

if TYPE_CHECKING:
    from dataprep.tokenization import IdArray


@dataclass(frozen=True, slots=True)
class EncodedSample:
    """Token ids and labels of a layout, int32 of equal length."""

    input_ids: IdArray
    labels: IdArray

    @property
    def num_trained_tokens(self) -> int:
        """Number of positions that carry loss."""
        return int((self.labels != IGNORE_INDEX).sum())


class Encoder:
    """Turns layouts into token ids and labels with one tokenizer.

    Attributes:
        settings: What decides about a sample.
        tokenizer: The model's tokenizer.
    """

    def __init__(self, settings: EncodeSettings, tokenizer: TextTokenizer) -> None:
        self.settings = settings
        self.tokenizer = tokenizer

    def encode(self, layouts: Sequence[Layout]) -> list[EncodedSample]:
        """Return one sample per layout; all their segments are tokenized in one batch."""
        texts = [segment_texts(layout.parts) for layout in layouts]
        flat = iter(self.tokenizer.encode_many([text for group in texts for text in group]))
        samples = []
        for layout, group in zip(layouts, texts, strict=True):
            ids, labels = assemble(
                layout.parts,
                [next(flat) for _ in group],
                tokenizer=self.tokenizer,
                template=self.settings.template,
                slot_tokens=layout.slot_tokens(self.settings.tiles.tokens_per_tile),
            )
            samples.append(EncodedSample(ids, self._mask(labels)))
        return samples

    def _mask(self, labels: IdArray) -> IdArray:
        if self.settings.loss_mask == "answers":
            return labels
        import numpy as np

        return keep_last_answers(labels, np.array([0, len(labels)]))


def make_encoder(
    model_type: str,
    model_dir: Path,
    *,
    max_num: int | None = None,
    system: str | None = None,
    box_style: str = "swift",
    missing_image_tag: str = "last",
    video_frames: int = 8,
    loss_mask: str = "answers",
) -> Encoder:
    """Return an encoder for a model type and the folder that holds its tokenizer.

    Args:
        model_type: One of the eleven names.
        model_dir: Folder with the model's tokenizer and, if tiles differ from the published ones, ``config.json``.
        max_num: Most tiles per image; None for the model type's own.
        system: See :class:`EncodeSettings`.
        box_style: See :class:`EncodeSettings`.
        missing_image_tag: See :class:`EncodeSettings`.
        video_frames: See :class:`EncodeSettings`.
        loss_mask: See :class:`EncodeSettings`.

    Raises:
        ConfigError: If the model type is unknown or the folder cannot be used.
    """
    kind = get_model_type(model_type)
    if max_num is not None and max_num < 1:
        raise ConfigError(f"--max-num is {max_num}, it must be at least 1")
    if video_frames < 1:
        raise ConfigError(f"--video-frames is {video_frames}, it must be at least 1")
    tokenizer = load_tokenizer(model_dir)
    published = TileSettings(kind.tile_size_px, kind.tokens_per_tile)
    settings = EncodeSettings(
        model_type=kind,
        tiles=read_tile_settings(model_dir, default=published),
        max_num=max_num or kind.max_num,
        system=system,
        box_style=box_style,
        missing_image_tag=missing_image_tag,
        video_frames=video_frames,
        loss_mask=loss_mask,
    )
    end = settings.template.end
    if len(tokenizer.encode(end)) != 1:
        raise ConfigError(
            f"the tokenizer in {model_dir} has no token {end}, which ends every answer of {kind.name}; "
            "name the model type that this folder is of"
        )
    return Encoder(settings, tokenizer)
