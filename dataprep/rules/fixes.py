"""Apply fixes to rows: values in, values out, nothing is changed in place.

The paths of a fix speak of the row as it was found. So all values are set first, in order, and only then are keys and
entries taken out, from the end of each list to its beginning. Where a row holds JSON as text (``objects`` often is),
a path leads into that text, and the text is written anew.

Two fixes of one row that touch the same place are in conflict: the first is applied, the other is postponed. Whoever
applies fixes checks the row again afterwards and repeats, as often as something was applied (at most a few times); a
finding that is still there then brings its fix along, made for the row as it is by now.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataprep.findings import Edit, Fix
from dataprep.sources import parse_embedded

Path = tuple[str | int, ...]

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


def path_of(field: str) -> Path:
    """Return the path that a field of a finding names: ``objects[3].bbox`` is ("objects", 3, "bbox")."""
    return tuple(int(index) if index else key for index, key in _STEP.findall(field))


def value_at(row: Mapping[str, Any], path: Path) -> Any:
    """Return the value at a path, also inside JSON that is held as text; None if there is none."""
    node: Any = row
    for step in path:
        if isinstance(node, str):
            try:
                node = parse_embedded(node)
            except ValueError:
                return None
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


def apply_fix(row: Mapping[str, Any], fix: Fix) -> dict[str, Any]:
    """Return a row with the edits of one fix made; everything that is not touched is shared with the row given.

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
    applied: list[Fix] = []
    for fix in fixes:
        if not any(_conflict(fix, other) for other in applied):
            applied.append(fix)
    edits = [edit for fix in applied for edit in fix.edits]
    postponed = tuple(fix for fix in fixes if fix not in applied)
    return FixedRow(row=_apply_edits(row, edits), applied=tuple(applied), postponed=postponed)


def _distinct(fixes: Sequence[Fix]) -> list[Fix]:
    # Values of edits may be lists, so fixes have no hash.
    distinct: list[Fix] = []
    for fix in fixes:
        if fix not in distinct:
            distinct.append(fix)
    return distinct


def _others(fixes: Sequence[Fix], chosen: Fix) -> tuple[Fix, ...]:
    return tuple(fix for fix in fixes if fix is not chosen)


def _conflict(fix: Fix, other: Fix) -> bool:
    return any(_touch(one, two) for one in fix.edits for two in other.edits)


def _touch(one: Edit, two: Edit) -> bool:
    """Whether one edit changes what the other one changes or looks into; equal edits agree."""
    depth = min(len(one.path), len(two.path))
    return one.path[:depth] == two.path[:depth] and one != two


def _apply_edits(row: Mapping[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    changed: Any = dict(row)
    for edit in edits:
        if not edit.removes:
            changed = _change(changed, edit.path, edit)
    removals: list[Edit] = []
    for edit in edits:
        if edit.removes and edit not in removals:
            removals.append(edit)
    # Numbers descend, so that what stands before a removed entry keeps its place.
    removals.sort(key=lambda edit: [(isinstance(step, int), step) for step in edit.path], reverse=True)
    for edit in removals:
        changed = _change(changed, edit.path, edit)
    result: dict[str, Any] = changed
    return result


def _change(node: Any, path: Path, edit: Edit) -> Any:
    """Return a copy of a node with the edit made below it."""
    if not path:
        return edit.value
    if isinstance(node, str):
        return _change_text(node, path, edit)
    step, rest = path[0], path[1:]
    if isinstance(node, dict) and isinstance(step, str):
        return _change_dict(node, step, rest, edit)
    if isinstance(node, list) and isinstance(step, int) and 0 <= step <= len(node):
        return _change_list(node, step, rest, edit)
    raise ValueError(f"no {step!r} to change in the row at {'.'.join(map(str, edit.path))}")


def _change_text(text: str, path: Path, edit: Edit) -> str:
    return json.dumps(_change(parse_embedded(text), path, edit), ensure_ascii=False)


def _change_dict(node: dict[str, Any], key: str, rest: Path, edit: Edit) -> dict[str, Any]:
    if edit.removes and not rest:
        return {name: value for name, value in node.items() if name != key}
    if rest and key not in node:
        raise ValueError(f"no {key!r} to change in the row at {'.'.join(map(str, edit.path))}")
    return {**node, key: _change(node.get(key), rest, edit)}


def _change_list(node: list[Any], index: int, rest: Path, edit: Edit) -> list[Any]:
    is_new = index == len(node)
    if is_new and (edit.removes or rest):
        raise ValueError(f"no entry {index} to change in the row at {'.'.join(map(str, edit.path))}")
    if edit.removes and not rest:
        return node[:index] + node[index + 1 :]
    value = _change(None if is_new else node[index], rest, edit)
    return [*node[:index], value, *node[index + 1 :]]
