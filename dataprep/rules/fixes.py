"""Apply fixes to rows: values in, values out, nothing is changed in place.

The paths of a fix speak of the row as it was found. So all values are set first, in order, and only then are keys and
entries taken out, from the end of each list to its beginning. Where a row holds JSON as text (``objects`` often is),
a path leads into that text, and the text is written anew.

Two fixes of one row that touch the same place are in conflict: the first is applied, the other is postponed. Whoever
applies fixes checks the row again afterwards and repeats, as often as something was applied (at most a few times); a
finding that is still there then brings its fix along, made for the row as it is by now.
"""

from __future__ import annotations

import copy
import json
import posixpath
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dataprep.findings import Edit, Fix
from dataprep.media.index import MediaFacts
from dataprep.parsing import parse_embedded
from dataprep.rules.base import CheckedRow

Path = tuple[str | int, ...]

LONGEST_RESPELLED_BYTES = 1_000_000
"""Longer rows are not spelled anew: findings, and their fixes with them, are kept in memory."""

DROP_ROW = Fix(label="leave the row out", is_safe=False, drops_row=True)

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedRow:
    """What became of a row.

    Attributes:
        row: The mended row; None if it is left out, or spelled anew as ``text``.
        text: The row spelled anew, where a fix says so; to be parsed and checked like any other row.
        is_dropped: Whether the row is left out.
        applied: The fixes that were applied.
        postponed: The fixes that were not, because another one touches the same place.
    """

    row: dict[str, Any] | None = None
    text: bytes | None = None
    is_dropped: bool = False
    applied: tuple[Fix, ...] = ()
    postponed: tuple[Fix, ...] = ()


@lru_cache(maxsize=1)
def _parse_once(text: str) -> object:
    """Parse JSON held as text; remembered, because each of thousands of objects in it may ask."""
    try:
        return parse_embedded(text)
    except ValueError:
        return None


def path_of(field: str) -> Path:
    """Return the path that a field of a finding names: ``objects[3].bbox`` is ("objects", 3, "bbox")."""
    return tuple(int(index) if index else key for index, key in _STEP.findall(field))


def value_at(row: Mapping[str, Any], path: Path) -> Any:
    """Return the value at a path, also inside JSON that is held as text; None if there is none."""
    node: Any = row
    for step in path:
        if isinstance(node, str):
            node = _parse_once(node)
        if isinstance(node, Mapping) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def text_at(row: Mapping[str, Any] | None, field: str) -> str | None:
    """Return the text in the field that a finding names; None if it is no plain text there."""
    value = None if row is None else value_at(row, path_of(field))
    return value if isinstance(value, str) else None


def set_value(field: str, value: object) -> Edit:
    """Return the edit that sets the field that a finding names."""
    return Edit(path=path_of(field), value=value)


def correct_path(row: CheckedRow, facts: MediaFacts) -> Fix | None:
    """Return the fix that names the file that a missing one may be; safe if only letter case is different."""
    suggestion = facts.error.suggestion if facts.error is not None else None
    text = text_at(row.value, facts.ref.field)
    if suggestion is None or text is None or text.strip() != facts.ref.source:
        return None
    is_safe = _fold(suggestion) == _fold(posixpath.normpath(facts.ref.source))
    return Fix(label=f"name {suggestion}", is_safe=is_safe, edits=(set_value(facts.ref.field, suggestion),))


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def apply_fix(row: Mapping[str, Any], fix: Fix) -> dict[str, Any]:
    """Return a copy of a row with the edits of one fix made.

    Args:
        row: The row that the fix was made for.
        fix: A fix with edits: not one that leaves the row out or spells it anew.

    Raises:
        ValueError: If a path of the fix leads nowhere in this row.
    """
    if fix.drops_row or fix.text is not None:
        raise ValueError(f"the fix {fix.label!r} has no edits; apply_fixes knows what to do with it")
    return _apply_edits(row, fix.edits)


def apply_fixes(row: Mapping[str, Any] | None, fixes: Sequence[Fix]) -> FixedRow:
    """Apply as many fixes of one row as do not get into each other's way.

    A fix that leaves the row out comes before all others, then one that spells the row anew.

    Args:
        row: The row that the fixes were made for; None if it could not be parsed.
        fixes: In order of preference; equal ones count once.

    Raises:
        ValueError: If a path of a fix leads nowhere in this row.
    """
    fixes = _distinct(fixes)
    for fix in fixes:
        if fix.drops_row:
            return FixedRow(is_dropped=True, applied=(fix,), postponed=_others(fixes, fix))
    for fix in fixes:
        if fix.text is not None:
            return FixedRow(text=fix.text, applied=(fix,), postponed=_others(fixes, fix))
    if row is None:
        return FixedRow(postponed=tuple(fixes))
    accepted = _Accepted()
    applied = [fix for fix in fixes if accepted.take(fix)]
    chosen = {id(fix) for fix in applied}
    postponed = tuple(fix for fix in fixes if id(fix) not in chosen)
    edits = [edit for fix in applied for edit in fix.edits]
    return FixedRow(row=_apply_edits(row, edits), applied=tuple(applied), postponed=postponed)


def _distinct(fixes: Sequence[Fix]) -> list[Fix]:
    # One fix of thousands of edits may stand in thousands of findings, so identity is asked first. Then the text: the
    # values of edits may be lists, so fixes have no hash.
    distinct: dict[str, Fix] = {}
    for fix in {id(fix): fix for fix in fixes}.values():
        distinct.setdefault(repr(fix), fix)
    return list(distinct.values())


def _others(fixes: Sequence[Fix], chosen: Fix) -> tuple[Fix, ...]:
    return tuple(fix for fix in fixes if fix is not chosen)


class _Accepted:
    """The places that accepted fixes touch: an edit changes what stands at its path, and looks into what is above."""

    def __init__(self) -> None:
        self._changed: dict[Path, Edit] = {}
        self._passed: set[Path] = set()

    def take(self, fix: Fix) -> bool:
        """Take a fix over if it is in no conflict with those before; return whether it was."""
        if any(self._is_touched(edit) for edit in fix.edits):
            return False
        for edit in fix.edits:
            self._changed[edit.path] = edit
            self._passed.update(edit.path[:depth] for depth in range(len(edit.path)))
        return True

    def _is_touched(self, edit: Edit) -> bool:
        if self._changed.get(edit.path, edit) != edit or edit.path in self._passed:
            return True
        return any(edit.path[:depth] in self._changed for depth in range(len(edit.path)))


def _apply_edits(row: Mapping[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    changed = copy.deepcopy(dict(row))
    opened: list[tuple[Any, Any]] = []
    for edit in edits:
        if not edit.removes:
            _set(_find_parent(changed, edit, opened), edit)
    removals = list({edit.path: edit for edit in edits if edit.removes}.values())
    # Numbers descend, so that what stands before a removed entry keeps its place.
    removals.sort(key=lambda edit: [(isinstance(step, int), step) for step in edit.path], reverse=True)
    for edit in removals:
        _remove(_find_parent(changed, edit, opened), edit)
    for parent, value in reversed(opened):
        steps: list[Any] = list(range(len(parent)) if isinstance(parent, list) else parent)
        for step in [step for step in steps if parent[step] is value]:
            parent[step] = json.dumps(value, ensure_ascii=False)
    return changed


def _find_parent(row: dict[str, Any], edit: Edit, opened: list[tuple[Any, Any]]) -> Any:
    """Return the object or list that an edit changes; JSON held as text on the way is parsed in place, and noted."""
    node: Any = row
    for step in edit.path[:-1]:
        inner = _look(node, step, edit)
        if isinstance(inner, str):
            inner = node[step] = parse_embedded(inner)
            opened.append((node, inner))
        node = inner
    return node


def _look(node: Any, step: str | int, edit: Edit) -> Any:
    if isinstance(node, dict) and step in node:
        return node[step]
    if isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node):
        return node[step]
    raise ValueError(f"no {step!r} in the row on the way to {'.'.join(map(str, edit.path))}")


def _set(parent: Any, edit: Edit) -> None:
    step = edit.path[-1]
    value = copy.deepcopy(edit.value)
    if isinstance(parent, list) and step == len(parent):
        parent.append(value)
    elif isinstance(parent, dict) and isinstance(step, str):
        parent[step] = value
    else:
        _look(parent, step, edit)
        parent[step] = value


def _remove(parent: Any, edit: Edit) -> None:
    step = edit.path[-1]
    if isinstance(parent, dict) and isinstance(step, str):
        parent.pop(step, None)
    else:
        _look(parent, step, edit)
        del parent[step]
