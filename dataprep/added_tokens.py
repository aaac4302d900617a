"""Which tokens a tokenizer without ``tokenizer.json`` adds to those it learnt, as the original slow code finds them.

``added_tokens_decoder`` of ``tokenizer_config.json`` lists them with their flags. Folders written before it existed
have ``added_tokens.json`` with the ids, and the special tokens in ``special_tokens_map.json``. A special token that
neither lists keeps its id in the vocabulary, or comes behind the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

_ONE_EACH = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A token that is found in texts before anything else.

    Attributes:
        content: Its text.
        id: Its id.
        lstrip: Whether it takes the white space before it along.
        rstrip: Whether it takes the white space after it along.
        single_word: Whether it is found between spaces only.
        special: Whether it is no ordinary content.
    """

    content: str
    id: int
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    special: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the fields as ``tokenizer.json`` writes them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TokenFiles:
    """The small files of a model folder that speak about tokens; an absent one is an empty dict."""

    config: dict[str, Any]
    """``tokenizer_config.json``"""
    special_map: dict[str, Any]
    """``special_tokens_map.json``"""
    added: dict[str, Any]
    """``added_tokens.json``"""

    @property
    def merged(self) -> dict[str, Any]:
        """What counts of the first two: with ``added_tokens_decoder`` the original does not look at the second."""
        return self.config if self.config.get("added_tokens_decoder") else {**self.special_map, **self.config}


def token_text(value: Any) -> str | None:
    """Return the text of a token that a configuration writes as a string or as an object."""
    return value.get("content") if isinstance(value, dict) else value


def special_tokens(files: TokenFiles, defaults: dict[str, str]) -> list[str]:
    """Return the special tokens by their texts, each once, in the order in which the original adds them.

    Args:
        files: What the folder says.
        defaults: What the original class takes where the folder says nothing.
    """
    settings = {**defaults, **files.merged}
    named = [token_text(settings.get(name)) for name in _ONE_EACH]
    more = [token_text(value) for value in settings.get("additional_special_tokens") or []]
    return list(dict.fromkeys(token for token in [*named, *more] if token))


def read_added_tokens(
    files: TokenFiles, special: Sequence[str], *, learnt_id: Callable[[str], int | None], num_learnt: int
) -> list[AddedToken]:
    """Return the added tokens by id.

    Args:
        files: What the folder says.
        special: From :func:`special_tokens`.
        learnt_id: The id of a token in the vocabulary; None if it is not there.
        num_learnt: Number of tokens in the vocabulary.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: If a file has another shape.
    """
    listed = files.config.get("added_tokens_decoder")
    if listed:
        found = [_from_entry(int(number), entry) for number, entry in listed.items()]
    else:
        found = [AddedToken(text, int(number), special=text in special) for text, number in files.added.items()]
    known = {token.content: token for token in found}
    free = max([num_learnt, *(token.id + 1 for token in found)])
    for text in special:
        if text in known:
            continue
        number = learnt_id(text)
        known[text] = AddedToken(text, free if number is None else number, special=True)
        free += number is None
    return sorted(known.values(), key=lambda token: token.id)


def _from_entry(number: int, entry: dict[str, Any]) -> AddedToken:
    flags = {name: bool(entry.get(name)) for name in ("lstrip", "rstrip", "single_word", "special")}
    content = entry["content"]
    if not isinstance(content, str) or not content:
        raise ValueError(f"token {number} has no text")
    return AddedToken(content, number, **flags)
