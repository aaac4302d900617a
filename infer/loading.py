"""A model with what belongs to it: tokenizer, template and the conventions that it was trained with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataprep.encode import Encoder, make_encoder
from dataprep.templates import Template
from dataprep.tokenization import TextTokenizer
from infer.conventions import read_conventions
from infer.errors import ModelError
from infer.model import ModelOptions, load_model

_ENCODED = ("max_num", "box_style", "missing_image_tag", "video_frames")
"""Conventions that the encoder takes."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What :func:`load` gives.

    Attributes:
        model: The native model in evaluation mode, on its device.
        encoder: Renders and tokenizes what it is asked.
    """

    model: Any
    encoder: Encoder

    @property
    def tokenizer(self) -> TextTokenizer:
        """Turns text into ids and back."""
        return self.encoder.tokenizer

    @property
    def template(self) -> Template:
        """The chat template of the model type."""
        return self.encoder.settings.template


def load(
    path: Path | str,
    model_type: str | None = None,
    *,
    adapter: Path | str | None = None,
    options: ModelOptions | None = None,
) -> Loaded:
    """Load a model with its tokenizer and template from a local folder of either layout.

    Args:
        path: Folder of the model and its tokenizer.
        model_type: Catalog name, which decides about the template; None takes it from the training run.
        adapter: Folder of a trained adapter, or the run that made it.
        options: Device, type and attention; the defaults if None.

    Raises:
        ModelError: If the model or adapter cannot be used, or nothing says which model type it is.
        ConfigError: If the model type is unknown, or the tokenizer cannot be used.
    """
    encoder = load_encoder(path, model_type, run=read_conventions(Path(adapter or path)))
    return Loaded(load_model(path, options, adapter=adapter, image_token_id=encoder.tokenizer.context_id), encoder)


def load_encoder(path: Path | str, model_type: str | None, *, run: dict[str, Any]) -> Encoder:
    """Load tokenizer and template as a training run had them.

    Args:
        path: Folder of the tokenizer.
        model_type: Catalog name; None takes that of the run.
        run: The run's conventions; empty for a model that is no run's.

    Raises:
        ModelError: If nothing says which model type it is.
    """
    name = model_type or run.get("model_type")
    if name is None:
        raise ModelError(f"{path} does not say which model type it is; give --model-type, such as internvl2-8b")
    return make_encoder(name, Path(path), **{field: run[field] for field in _ENCODED if field in run})
