"""Tokens: load a model folder's tokenizer and turn rendered parts into ``input_ids`` and ``labels``.

Only ``tokenizer.json`` is read here, through the ``tokenizers`` package, with the added tokens and the BOS rule of
``tokenizer_config.json``; no model library is imported. Segments are tokenized without special tokens being
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
from dataprep.pieces import make_piece_encoder
from dataprep.templates import CONTENT_TOKENS, CONTROL_TOKENS, IGNORE_INDEX, Part, Slot, Template, Text

if TYPE_CHECKING:
    # Lint loads this module, but numpy and tokenizers only once there are tokens to count.
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    IdArray: TypeAlias = NDArray[np.int32]

CONTEXT_TOKEN = "<IMG_CONTEXT>"
_IMAGE_TOKENS = ("<img>", "</img>", CONTEXT_TOKEN)
_MEMO_ENTRIES = 200_000


@dataclass(frozen=True, slots=True)
class TileSettings:
    """Side of a tile in pixels, and the number of context tokens that stand for one tile."""

    tile_size_px: int
    tokens_per_tile: int


class TextTokenizer:
    """A model folder's tokenizer, exact and with a memory for repeated segments.

    Attributes:
        bos_id: Id to put first; None for tokenizers that put none.
        context_id: Id of ``<IMG_CONTEXT>``.
        pad_id: Id used for padding.
        fingerprint: Hash over everything that decides about ids.
    """

    def __init__(self, tokenizer: Tokenizer, config: dict[str, Any]) -> None:
        self._tokenizer = tokenizer
        self._memo: dict[str, IdArray] = {}
        description = tokenizer.to_str()
        settings = {key: config.get(key) for key in ("bos_token", "add_bos_token", "added_tokens_decoder")}
        text = description + json.dumps(settings, sort_keys=True)
        self.fingerprint = hashlib.sha256(text.encode("utf-8")).hexdigest()
        self._pieces = make_piece_encoder(tokenizer, description)
        self.context_id = self._require_id(CONTEXT_TOKEN)
        self.bos_id = _find_bos(tokenizer, config)
        pad = _token_text(config.get("pad_token")) or _token_text(config.get("eos_token"))
        pad_id = tokenizer.token_to_id(pad) if pad else None
        self.pad_id: int = 0 if pad_id is None else pad_id

    def _require_id(self, token: str) -> int:
        token_id = self._tokenizer.token_to_id(token)
        assert isinstance(token_id, int)
        return token_id

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return int(max(self._tokenizer.get_vocab(with_added_tokens=True).values())) + 1

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """The special tokens of this tokenizer that are no ordinary content, longest first."""
        special = {token.content for token in self._tokenizer.get_added_tokens_decoder().values() if token.special}
        return tuple(sorted({*CONTROL_TOKENS, *special} - set(CONTENT_TOKENS), key=lambda token: (-len(token), token)))

    @property
    def num_tokens(self) -> int:
        """Number of tokens, added ones included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def to_json(self) -> str:
        """Return everything that decides about ids as JSON, in the form of ``tokenizer.json``."""
        return str(self._tokenizer.to_str())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, no special token added."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_many(self, texts: Sequence[str]) -> list[IdArray]:
        """Return the ids of several texts, int32; what was seen before is not tokenized again."""
        import numpy as np

        if self._pieces is not None:
            return self._pieces.encode_many(texts)
        new = list({text: None for text in texts if text not in self._memo})
        if len(self._memo) + len(new) > _MEMO_ENTRIES:
            self._memo.clear()
            new = list(dict.fromkeys(texts))
        encode_batch = self._tokenizer.encode_batch_fast  # without offsets into the text: same ids, less work
        for text, encoding in zip(new, encode_batch(new, add_special_tokens=False), strict=True):
            self._memo[text] = np.asarray(encoding.ids, dtype=np.int32)
        return [self._memo[text] for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some ids, special tokens included."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))


# Conversion asks for its tokenizer twice, and to make one takes up to a second.
_in_use: WeakValueDictionary[str, TextTokenizer] = WeakValueDictionary()


def _token_text(value: Any) -> str | None:
    return value.get("content") if isinstance(value, dict) else value


def _find_bos(tokenizer: Tokenizer, config: dict[str, Any]) -> int | None:
    bos = _token_text(config.get("bos_token"))
    bos_id = tokenizer.token_to_id(bos) if bos else None
    if bos_id is None or config.get("add_bos_token") is False:
        return None
    if config.get("add_bos_token") is True:
        return int(bos_id)
    return int(bos_id) if bos_id in tokenizer.encode("").ids else None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); copy the model folder again") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} is not a JSON object; copy the model folder again")
    return value


def load_tokenizer(folder: Path) -> TextTokenizer:
    """Load the tokenizer of a model folder.

    Args:
        folder: A folder with ``tokenizer.json``.

    Raises:
        ConfigError: If there is no such tokenizer, or it lacks the image tokens.
    """
    path = folder / "tokenizer.json"
    if not folder.is_dir():
        raise ConfigError(f"no model folder {folder}; give --model the folder that holds tokenizer.json")
    if not path.is_file():
        if any(folder.glob("*.model")):
            raise ConfigError(
                f"{folder} holds a sentencepiece tokenizer only, which this release cannot load exactly; "
                "use a folder with tokenizer.json"
            )
        raise ConfigError(f"{folder} holds no tokenizer.json; give --model a folder with the model's tokenizer")
    config = {**_read_json(folder / "special_tokens_map.json"), **_read_json(folder / "tokenizer_config.json")}
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error}); copy the model folder again") from error
    key = hashlib.sha256(content + repr(config).encode()).hexdigest()
    known = _in_use.get(key)
    if known is not None:
        return known
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:
        raise ConfigError(f"{path} is not a tokenizer ({error}); copy the model folder again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    try:
        _in_use[key] = made = _configure(tokenizer, config, folder)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{folder / 'tokenizer_config.json'} is not the configuration of a tokenizer ({error!r}); "
            "copy the model folder again"
        ) from error
    return made


def _configure(tokenizer: Tokenizer, config: dict[str, Any], folder: Path) -> TextTokenizer:
    _add_configured_tokens(tokenizer, config)
    missing = [token for token in _IMAGE_TOKENS if tokenizer.token_to_id(token) is None]
    if missing:
        raise ConfigError(
            f"the tokenizer in {folder} lacks {', '.join(missing)}; it is not the one of an InternVL model: "
            "copy the tokenizer files of the model that you train"
        )
    return TextTokenizer(tokenizer, config)


def _add_configured_tokens(tokenizer: Tokenizer, config: dict[str, Any]) -> None:
    from tokenizers import AddedToken

    listed = config.get("added_tokens_decoder") or {}
    for token_id, entry in sorted(listed.items(), key=lambda item: int(item[0])):
        content = entry["content"]
        if tokenizer.token_to_id(content) is not None:
            continue
        flags = {key: bool(entry.get(key)) for key in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        tokenizer.add_tokens([AddedToken(content, **flags)])
        if tokenizer.token_to_id(content) != int(token_id):
            raise ConfigError(
                f"tokenizer_config.json gives {content!r} the id {token_id}, tokenizer.json has room at "
                f"{tokenizer.token_to_id(content)} only; the two files are not of one model"
            )


def read_language_model(folder: Path) -> str | None:
    """Return the architecture of a model folder's language model as the catalog names it; None if nothing says it."""
    config = _read_json(folder / "config.json")
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
    config = _read_json(folder / "config.json")
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
