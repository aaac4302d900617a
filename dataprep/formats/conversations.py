"""The ``conversations`` format of ShareGPT, LLaVA and InternVL: ``from`` and ``value``, media beside them."""

from __future__ import annotations

from typing import Any

from dataprep.formats.shared import ROLES, Draft, Message, pair_messages
from dataprep.schema import ShapeProblem, check_row

_MEDIA_FIELDS = (("image", "images", "image"), ("video", "videos", "video"))


def read_conversations(row: dict[str, Any]) -> Draft:
    """Return the draft of a conversations row; ``image`` and ``video`` may stand for the plural fields."""
    draft = Draft(system=row.get("system") if isinstance(row.get("system"), str) else None)
    draft.problems += check_row(row, "conversations")
    if draft.problems:
        return draft
    for kind, plural, singular in _MEDIA_FIELDS:
        if row.get(plural) and row.get(singular):
            message = f"the row has both {singular} and {plural}"
            draft.problems.append(ShapeProblem("wrong-shape", singular, message, f"keep {plural}"))
        draft.add_media(row.get(plural) or row.get(singular), kind, plural if row.get(plural) else singular)
    messages = [
        Message(ROLES[entry["from"]], entry["value"], f"conversations[{index}].value")
        for index, entry in enumerate(row["conversations"])
    ]
    pair_messages(draft, messages)
    draft.add_objects(row.get("objects"))
    return draft
