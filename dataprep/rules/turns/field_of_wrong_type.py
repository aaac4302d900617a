"""Flag fields that are not of the type that the schema asks for. Cost: none beyond reading."""

from __future__ import annotations

import json

from dataprep.findings import Fix
from dataprep.rules.base import CheckedRow, ShapeRule
from dataprep.rules.fixes import path_of, set_value, value_at
from dataprep.schema import ShapeProblem

# What other formats call the two sides, by the name of the key.
_USER = frozenset({"user", "human", "usr", "customer", "question", "prompter"})
_ASSISTANT = frozenset({"assistant", "gpt", "bot", "ai", "model", "chatgpt", "chatbot", "answer"})
_ROLES = {"role": ("user", "assistant"), "from": ("human", "gpt")}


def _role(key: str | int, value: object) -> str | None:
    """Return the role that a synonym stands for; None if it is none."""
    word = value.strip().lower() if isinstance(value, str) else ""
    if not isinstance(key, str) or key not in _ROLES:
        return None
    user, assistant = _ROLES[key]
    return user if word in _USER else assistant if word in _ASSISTANT else "system" if word == "system" else None


def _path_in(value: object) -> str | None:
    """Return the path out of the object that the datasets library writes for an image that lies in a file."""
    if not isinstance(value, dict) or not value.keys() <= {"path", "bytes"} or value.get("bytes") is not None:
        return None
    path = value.get("path")
    return path if isinstance(path, str) else None


class FieldOfWrongType(ShapeRule):
    """Field of the wrong type.

    ## What it does
    Reports a field whose value is not what the schema of its row format allows.
    ## Why it matters
    A number or a list where text is expected is trained on as its printed form, or ends the run.
    ## Example
    `{"query": 5, "response": "r"}`
    ## Use instead
    `{"query": "5", "response": "r"}`
    ## Options
    None.
    ## Source
    The row schemas (schemas/row.*.schema.json).
    """

    name = "field-of-wrong-type"
    kinds = ("wrong-shape",)

    def fix_for(self, row: CheckedRow, problem: ShapeProblem) -> Fix | None:
        """Return the fix for a synonym of a role, a number in place of text, or a path in an object."""
        path = path_of(problem.field)
        value = None if row.value is None or not path else value_at(row.value, path)
        if value is None:
            return None
        role = _role(path[-1], value)
        if role is not None:
            label = f"write the role as {role}"
            return Fix(label=label, is_safe=True, edits=(set_value(problem.field, role),))
        if type(value) in (int, float) and "expected text" in problem.message:
            edit = set_value(problem.field, json.dumps(value))
            return Fix(label="write the number as text", is_safe=True, edits=(edit,))
        media_path = _path_in(value) if path[0] in ("images", "videos") else None
        if media_path is not None:
            edit = set_value(problem.field, media_path)
            return Fix(label="write the path alone", is_safe=True, edits=(edit,))
        return None
