"""The split that a row declares for itself, as the rules about leaks see it."""

from __future__ import annotations

import json

from dataprep.corpus import NO_SIDE, TRAIN_SIDE, VAL_SIDE
from dataprep.rules.base import CheckedRow


def side_of(row: CheckedRow) -> int:
    """Return the side of the split that a row declares."""
    split = None if row.record is None else row.record.split
    if split is None:
        return NO_SIDE
    return TRAIN_SIDE if split == "train" else VAL_SIDE


def text_without_split(row: CheckedRow) -> bytes:
    """Return a row without its split, which is not what it teaches."""
    content = {key: value for key, value in (row.value or {}).items() if key != "split"}
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
