r"""Split texts into the words that a byte-level BPE tokenizer works on, so that each distinct word is tokenized once.

Such a tokenizer first cuts a text by a regular expression and then merges bytes inside each word alone. Known
expressions are written here for Python's ``re``, for the characters about which every version of Unicode since 3.2
agrees whether they are letters, numbers or white space: there no two engines can differ. A text with any other
character is left to the tokenizer, as is every tokenizer with another expression.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable
from functools import cache, partial
from typing import Any

_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
QWEN2 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
KNOWN = (_GPT2, QWEN2, _LLAMA3)
"""Expressions of GPT-2 (and InternLM2's byte-level files), Qwen2 and Llama 3."""
_UNSTABLE = "-"
_LAST = 0xFFFF  # beyond are emoji, and letters that are rare: not worth the time to list them
_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# White space or not, engines have changed their minds about these; and long s and Kelvin fold to ASCII letters.
_DISPUTED = "\x1c-\x1f\x85\u180e\u200b\u017f\u212a"


def splitter_of(pre_tokenizer: dict[str, Any]) -> Callable[[str], list[str] | None] | None:
    """Return a function that splits a text into words, or says None if it cannot; None for unknown tokenizers.

    Args:
        pre_tokenizer: As in ``tokenizer.json``.
    """
    pattern = _pattern_of(pre_tokenizer)
    if pattern not in KNOWN:
        return None
    find = re.compile(_for_re(pattern)).findall
    is_unsure = re.compile(f"[{_unstable_characters()}]").search

    def split(text: str) -> list[str] | None:
        return None if is_unsure(text) else find(text)

    return split


def _pattern_of(pre_tokenizer: dict[str, Any]) -> str | None:
    kind = pre_tokenizer.get("type")
    if kind == "ByteLevel":
        is_whole = pre_tokenizer.get("use_regex", True) and not pre_tokenizer.get("add_prefix_space")
        return _GPT2 if is_whole else None
    if kind != "Sequence" or len(pre_tokenizer["pretokenizers"]) != 2:
        return None
    first, second = pre_tokenizer["pretokenizers"]
    is_split = first.get("type") == "Split" and first.get("behavior") == "Isolated" and not first.get("invert")
    is_bytes = second.get("type") == "ByteLevel" and not second.get("use_regex") and not second.get("add_prefix_space")
    return first["pattern"].get("Regex") if is_split and is_bytes else None


def _for_re(pattern: str) -> str:
    letters, numbers = _stable_ranges("L"), _stable_ranges("N")
    classes = {r"\p{L}": letters, r"\p{N}": numbers, r"\s": _SPACE}
    for name, ranges in classes.items():
        inside = re.compile(rf"(\[[^\]]*){re.escape(name)}")
        pattern = inside.sub(partial(_insert, ranges), pattern)
        pattern = pattern.replace(name, f"[{ranges}]")
    return pattern.replace(r"\S", f"[^{_SPACE}]")


def _insert(ranges: str, match: re.Match[str]) -> str:
    return match[1] + ranges


@cache
def _stable_ranges(kind: str) -> str:
    """Return the inside of a character class: characters of a category, by its first letter, then and now."""
    return _ranges(kind)


@cache
def _unstable_characters() -> str:
    return _ranges(_UNSTABLE) + _DISPUTED + f"{chr(_LAST + 1)}-{chr(sys.maxunicode)}"


@cache
def _kinds() -> str:
    """Return the first letter of each character's category; a dash where versions of Unicode differ, or it has none."""
    chars = list(map(chr, range(_LAST + 1)))
    categories = zip(map(unicodedata.category, chars), map(unicodedata.ucd_3_2_0.category, chars), strict=True)
    return "".join([n[0] if n[0] == t[0] and n not in ("Cn", "Co", "Cs") else _UNSTABLE for n, t in categories])


def _ranges(kind: str) -> str:
    """Return the stretches of characters of a kind, as the inside of a character class."""
    stretches = [(match.start(), match.end() - 1) for match in re.finditer(f"{kind}+", _kinds())]
    return "".join([f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in stretches])
