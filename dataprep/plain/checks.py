"""What makes a row of a plain shape plain in its content: the conditions under which no rule can speak.

Each condition is stronger than the rules that it stands for; ``COVERED`` says which. Rules that have no condition here
keep rows from being plain as soon as they are selected, so a new rule costs speed until it is covered, never findings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from dataprep.plain.shapes import PlainObject
from dataprep.tags import BBOX, IMAGE, REF_OBJECT

_OBJECTS = msgspec.json.Decoder(list[PlainObject] | None)
# What may be a tag or a control token, however it is spelled. A `<` that begins none of these means nothing.
RISKY = re.compile(
    r"<\s*(?:\||!|/?\s*(?:im|vid|aud|box|bbox|ref|quad|obj|s\s*>|unk|tool|start|end|begin|eot|eos|bos|pad))", re.IGNORECASE
)


class Tally:
    """What a plain row accounts for in the bytes of its line.

    Attributes:
        num_keys: Keys inside the fields of the row; those of the row itself come on top.
        num_tags: Tags that stand where they belong.
    """

    __slots__ = ("num_keys", "num_tags")
