"""The ``messages`` format: OpenAI-style roles, content as text or as a list of parts."""

from __future__ import annotations

from typing import Any

from dataprep.formats.shared import ROLES, Draft, Message, pair_messages
from dataprep.schema import ShapeProblem, check_row


def read_messages(row: dict[str, Any]) -> Draft:
    """Return the draft of a messages row; parts become text with tags, their media references."""
    draft = Draft(system=row.get("system") if isinstance(row.get("system"), str) else None)
    draft.problems += check_row(row, "messages")
    if draft.problems:
        return draft
    for kind, name in (("image", "images"), ("video", "videos")):
        draft.add_media(row.get(name), kind, name)
    draft.problems += _refuse_media_in_system(row["messages"])
    messages = [
        Message(
            ROLES[entry["role"]],
            _read_content(draft, entry["content"], f"messages[{i}].content"),
            f"messages[{i}].content",
        )
        for i, entry in enumerate(row["messages"])
    ]
    pair_messages(draft, messages)
    draft.add_objects(row.get("objects"))
    return draft


def _refuse_media_in_system(messages: list[dict[str, Any]]) -> list[ShapeProblem]:
    # Only queries have places for media: from here they would silently move into one.
    fields = [
        f"messages[{index}].content[{number}]"
        for index, entry in enumerate(messages)
        if entry["role"] == "system" and isinstance(entry["content"], list)
        for number, part in enumerate(entry["content"])
        if part["type"] != "text"
    ]
    message = "is an image or video in the system prompt"
    return [ShapeProblem("wrong-shape", field, f"{field} {message}", "move it into a query") for field in fields]


def _read_content(draft: Draft, content: str | list[dict[str, Any]], field: str) -> str:
    if isinstance(content, str):
        return content
    return "".join(_read_part(draft, part, f"{field}[{index}]") for index, part in enumerate(content))


def _read_part(draft: Draft, part: dict[str, Any], field: str) -> str:
    if part["type"] == "text":
        return str(part["text"] if "text" in part else part["value"])
    kind = "image" if part["type"].startswith("image") else "video"
    key = next(
        (name for name in (part["type"], kind, f"{kind}_url", "url", "path", "value") if name in part), part["type"]
    )
    source = part.get(key)
    if isinstance(source, dict):
        source = source["url"]
    # A part without a source stands for the next entry of images or videos, like a tag.
    if source is not None:
        listed = any(ref.field.startswith(f"{kind}s") for ref in (draft.images if kind == "image" else draft.videos))
        if listed:
            message = f"{field} brings its own {kind}, and the row lists {kind}s too"
            draft.problems.append(ShapeProblem("wrong-shape", field, message, "use one of the two ways for all"))
        draft.add_media(source, kind, f"{field}.{key}")
    return f"<{kind}>"
