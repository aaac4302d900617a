"""Flag escapes that are half a character. Cost: none beyond parsing."""

from __future__ import annotations

from dataprep.rules.base import ParseRule


class LoneSurrogate(ParseRule):
    r"""Escape that is half a character.

    ## What it does
    Reports a `\ud800` to `\udfff` escape whose other half is missing.
    ## Why it matters
    The text cannot be written as UTF-8, so a tokenizer cannot read it.
    ## Example
    `{"query": "\ud83d"}`
    ## Use instead
    Cut text at characters, not at UTF-16 units.
    ## Options
    None.
    ## Source
    RFC 8259 (JSON); docs/format.md for what a row is.
    """

    name = "lone-surrogate"
    kinds = ("lone-surrogate",)
    help = "cut text at characters, not at UTF-16 units"
