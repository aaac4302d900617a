"""Flag files that hold no rows at all. Cost: a look at the first line."""

from __future__ import annotations

from dataprep.rules.base import ParseRule


class FileWithoutRows(ParseRule):
    """File that holds no rows.

    ## What it does
    Reports, once for the whole file, that it is no JSON Lines and no JSON array: a table (CSV, Excel,
    Parquet), an archive, UTF-16 text, a git LFS pointer, a web page, or one object printed over many
    lines.
    ## Why it matters
    Read as rows, it would be a broken row per line, and none of them would say why.
    ## Example
    a `train.json` that begins with `query,response`
    ## Use instead
    Write one JSON object per line, or an array of them: `jq -c . in.json > out.jsonl`.
    ## Options
    None.
    ## Source
    dataprep/foreign.py; docs/data.md
    """

    name = "file-without-rows"
    kinds = ("not-rows",)
    help = "write one JSON object per line, or an array of them"
