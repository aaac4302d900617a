"""Tokens: load a model folder's tokenizer and turn rendered parts into ``input_ids`` and ``labels``.

``tokenizer_folders`` reads the files, an engine does the work, and the BOS rule of ``tokenizer_config.json`` is applied
here; no model library is imported. Segments are tokenized without special tokens being
added; special tokens spelled in a text become those tokens, as in the reference.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload
from weakref import WeakValueDictionary

from dataprep.errors import ConfigError
from dataprep.model_files import read_json
from dataprep.templates import CONTENT_TOKENS, CONTROL_TOKENS, IGNORE_INDEX, Part, Slot, Template, Text

if TYPE_CHECKING:
    # Lint loads this module, but numpy and the engines only once there are tokens to count.
    import numpy as np
    from numpy.typing import NDArray

    from dataprep.engines import Engine
    from dataprep.tokenizer_folders import TokenizerFolder

    IdArray: TypeAlias = NDArray[np.int32]

CONTEXT_TOKEN = "<IMG_CONTEXT>"
_IMAGE_TOKENS = ("<img>", "</img>", CONTEXT_TOKEN)


@dataclass(frozen=True, slots=True)
class TileSettings:
    """Side of a tile in pixels, and the number of context tokens that stand for one tile."""

    tile_size_px: int
    tokens_per_tile: int


class TextTokenizer:
    """A model folder's tokenizer, exact and with a memory for repeated segments.

    Attributes:
        bos_id: Id to put first; None for tokenizers that put none.
        eos_id: Id that goes last where special tokens are asked for; None for tokenizers that put none.
        context_id: Id of ``<IMG_CONTEXT>``.
        pad_id: Id used for padding.
        fingerprint: Hash over everything that decides about ids.
    """

    def __init__(self, engine: Engine, config: dict[str, Any], description: str | None = None) -> None:
        """Take the engine.

        Args:
            engine: Turns texts into ids.
            config: What ``tokenizer_config.json`` and ``special_tokens_map.json`` say.
            description: The engine as JSON, where the caller has it at hand.
        """
        from dataprep.added_tokens import token_text

        self._engine = engine
        settings = {key: config.get(key) for key in ("bos_token", "add_bos_token", "added_tokens_decoder")}
        text = (engine.to_json() if description is None else description) + json.dumps(settings, sort_keys=True)
        self.fingerprint = hashlib.sha256(text.encode("utf-8")).hexdigest()
        self.context_id = self._require_id(CONTEXT_TOKEN)
        self.bos_id = _find_bos(engine, config)
        end = token_text(config.get("eos_token"))
        end_id = engine.token_to_id(end) if end else None
        self.eos_id = end_id if config.get("add_eos_token") is True else None
        pad = token_text(config.get("pad_token")) or end
        pad_id = engine.token_to_id(pad) if pad else None
        self.pad_id: int = 0 if pad_id is None else pad_id

    def _require_id(self, token: str) -> int:
        token_id = self._engine.token_to_id(token)
        assert token_id is not None
        return token_id

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return self._engine.vocab_size

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """The special tokens of this tokenizer that are no ordinary content, longest first."""
        special = {*CONTROL_TOKENS, *self._engine.special} - set(CONTENT_TOKENS)
        return tuple(sorted(special, key=lambda token: (-len(token), token)))

    @property
    def num_tokens(self) -> int:
        """Number of tokens, added ones included."""
        return self._engine.num_tokens

    def to_json(self) -> str:
        """Return everything that decides about ids as JSON, in the form of ``tokenizer.json``.

        For sentencepiece tokenizers the vocabulary is one hash over ``tokenizer.model``.
        """
        return self._engine.to_json()

    def encode(self, text: str, *, add_special_tokens: bool = False) -> list[int]:
        """Return the ids of a text.

        Args:
            text: Any text; special tokens that it spells become those tokens.
            add_special_tokens: Whether to put the ids around it that the tokenizer puts around whole texts.
        """
        ids = self._engine.encode(text)
        if not add_special_tokens:
            return ids
        around = [[] if special is None else [special] for special in (self.bos_id, self.eos_id)]
        return [*around[0], *ids, *around[1]]

    def encode_many(self, texts: Sequence[str]) -> list[IdArray]:
        """Return the ids of several texts, int32; what was seen before is not tokenized again."""
        return self._engine.encode_many(texts)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some ids as the model's original tokenizer writes it, special tokens included.

        The code of sentencepiece tokenizers puts spaces around added tokens, and InternLM2's takes out spaces before
        punctuation; :meth:`plain_text` does neither.
        """
        return self._engine.decode(ids)

    def plain_text(self, ids: Sequence[int]) -> str:
        """Return the text that has these ids, special tokens included, nothing added and nothing tidied."""
        return self._engine.plain_text(ids)


# Conversion asks for its tokenizer twice, and to make one takes up to a second.
_in_use: WeakValueDictionary[str, TextTokenizer] = WeakValueDictionary()


def _find_bos(engine: Engine, config: dict[str, Any]) -> int | None:
    from dataprep.added_tokens import token_text

    bos = token_text(config.get("bos_token"))
    bos_id = engine.token_to_id(bos) if bos else None
    if bos_id is None or config.get("add_bos_token") is False:
        return None
    return bos_id if config.get("add_bos_token") is True or engine.has_bos(bos_id) else None


def load_tokenizer(folder: Path) -> TextTokenizer:
    """Load the tokenizer of a model folder.

    Args:
        folder: A folder with ``tokenizer.json``, with ``tokenizer.model`` (sentencepiece), or with ``vocab.json`` and
            ``merges.txt`` (Qwen2), and the small files beside it that list added tokens.

    Raises:
        ConfigError: If there is no such tokenizer, or it lacks the image tokens.
    """
    from dataprep.tokenizer_folders import read_tokenizer_folder

    found = read_tokenizer_folder(folder)
    known = _in_use.get(found.key)
    if known is not None:
        return known
    try:
        _in_use[found.key] = made = _make_tokenizer(found)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{folder / 'tokenizer_config.json'} is not the configuration of a tokenizer ({error!r}); "
            "copy the model folder again"
        ) from error
    return made


def _make_tokenizer(found: TokenizerFolder) -> TextTokenizer:
    from dataprep.tokenizer_folders import make_engine

    engine, description = make_engine(found)
    missing = [token for token in _IMAGE_TOKENS if engine.token_to_id(token) is None]
    if missing:
        raise ConfigError(
            f"the tokenizer in {found.folder} lacks {', '.join(missing)}; it is not the one of an InternVL model: "
            f"{found.why_tokens_lack()}; copy the tokenizer files of the model that you train"
        )
    return TextTokenizer(engine, {**found.defaults, **found.settings}, description)


def read_language_model(folder: Path) -> str | None:
    """Return the architecture of a model folder's language model as the catalog names it; None if nothing says it."""
    config = read_json(folder / "config.json")
    inner = config.get("text_config") or config.get("llm_config")
    if not isinstance(inner, dict):
        return None
    named = _first(inner.get("architectures"))
    name = named.removesuffix("ForCausalLM") if isinstance(named, str) else inner.get("model_type")
    return name.lower() if isinstance(name, str) else None


@overload
def read_tile_settings(folder: Path, *, default: TileSettings) -> TileSettings: ...
@overload
def read_tile_settings(folder: Path, *, default: None) -> TileSettings | None: ...
def read_tile_settings(folder: Path, *, default: TileSettings | None) -> TileSettings | None:
    """Return tile size and context tokens per tile from a model folder's ``config.json``, if it says them.

    Args:
        folder: The model folder.
        default: What holds where there is no ``config.json`` or it says nothing about tiles.

    Raises:
        ConfigError: If the configuration contradicts itself.
    """
    config = read_json(folder / "config.json")
    vision = config.get("vision_config")
    vision = vision if isinstance(vision, dict) else {}
    size = _first(config.get("force_image_size") or vision.get("image_size"))
    patch = _first(vision.get("patch_size"))
    if not size or not patch:
        return default
    ratio = config.get("downsample_ratio", 0.5)
    try:
        side = int(size) / int(patch) * float(ratio)
    except (TypeError, ValueError, ArithmeticError):
        side = 0.0
    if not (side >= 1 and math.isfinite(side) and side == int(side) and int(size) >= 1):
        raise ConfigError(
            f"{folder / 'config.json'}: tiles of {size} px, patches of {patch} px and downsample_ratio "
            f"{ratio} give {side} x {side} context tokens, which is no whole number; copy the model folder again"
        )
    return TileSettings(int(size), int(side) ** 2)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def segment_texts(parts: Sequence[Part]) -> list[str]:
    """Return the strings that are handed to the tokenizer, in order."""
    return [part.text for part in parts if isinstance(part, Text)]


def assemble(
    parts: Sequence[Part],
    segments: Sequence[IdArray],
    *,
    tokenizer: TextTokenizer,
    template: Template,
    slot_tokens: Sequence[int],
) -> tuple[IdArray, IdArray]:
    """Put a rendering together.

    Args:
        parts: The rendering.
        segments: Ids of each text part, as from :meth:`TextTokenizer.encode_many`.
        tokenizer: The tokenizer that made them.
        template: The template of the rendering.
        slot_tokens: Number of context tokens of each slot.

    Returns:
        ``input_ids`` and ``labels``, int32 of equal length; labels are :data:`IGNORE_INDEX` where there is no loss.
    """
    import numpy as np

    ids: list[IdArray] = [] if tokenizer.bos_id is None else [np.array([tokenizer.bos_id], dtype=np.int32)]
    labels: list[IdArray] = [np.full(len(bos), IGNORE_INDEX, dtype=np.int32) for bos in ids]
    end_ids = tokenizer.encode_many([template.end])[0]
    texts, slots = iter(segments), iter(slot_tokens)
    follows_answer = False
    for part in parts:
        if isinstance(part, Slot):
            run = np.full(next(slots), tokenizer.context_id, dtype=np.int32)
            label, follows_answer = np.full(len(run), IGNORE_INDEX, dtype=np.int32), False
        elif part.is_trained:
            run = label = next(texts)
            follows_answer = True
        else:
            run = next(texts)
            label = np.full(len(run), IGNORE_INDEX, dtype=np.int32)
            if follows_answer:  # the end of an earlier answer is trained, though tokenized with what follows
                label[: len(end_ids)] = end_ids
            follows_answer = False
        ids.append(run)
        labels.append(label)
    return np.concatenate(ids), np.concatenate(labels)
