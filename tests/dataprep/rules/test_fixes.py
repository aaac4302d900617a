"""Fixes as values: what an edit means, which fixes of one row go together, and that nothing is changed in place."""

from __future__ import annotations

import copy
import json

import pytest

from dataprep.findings import Edit, Fix
from dataprep.rules.fixes import apply_fix, apply_fixes

ROW = {"query": "q", "images": ["a.png", "", "b.png", None], "objects": [{"bbox": [1, 2, 3, 4], "bbox_typ": "real"}]}


def fix(*edits: Edit) -> Fix:
    return Fix(label="mend", is_safe=True, edits=edits)


def setting(*path: str | int, value: object) -> Edit:
    return Edit(path=path, value=value)


def removing(*path: str | int) -> Edit:
    return Edit(path=path, removes=True)


def test_values_are_set_added_and_taken_out() -> None:
    before = copy.deepcopy(ROW)
    mended = apply_fix(
        ROW,
        fix(
            setting("query", value="<image>q"),
            setting("response", value="r"),
            setting("images", 4, value="c.png"),
            setting("objects", 0, "bbox_type", value="real"),
            removing("objects", 0, "bbox_typ"),
            removing("system"),
        ),
    )
    assert mended == {
        "query": "<image>q",
        "images": ["a.png", "", "b.png", None, "c.png"],
        "objects": [{"bbox": [1, 2, 3, 4], "bbox_type": "real"}],
        "response": "r",
    }
    assert before == ROW


def test_paths_speak_of_the_row_as_it_was_found() -> None:
    mended = apply_fix(ROW, fix(removing("images", 1), removing("images", 3), setting("images", 2, value="B.png")))
    assert mended["images"] == ["a.png", "B.png"]


def test_a_path_leads_into_json_held_as_text() -> None:
    row = {"objects": json.dumps(ROW["objects"])}
    mended = apply_fix(row, fix(setting("objects", 0, "bbox", 1, value=9)))
    assert json.loads(mended["objects"])[0]["bbox"] == [1, 9, 3, 4]


@pytest.mark.parametrize(
    "edit",
    [
        setting("objects", 1, "bbox", value=1),
        setting("history", 0, value=["q", "r"]),
        setting("images", 5, value="x"),
        removing("images", 4),
        setting("images", "x", value="x"),
        setting("query", "x", value="x"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error(edit: Edit) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - also that of text which is no JSON
        apply_fix(ROW, fix(edit))


def test_one_fix_without_edits_is_not_applied_as_if_it_had_some() -> None:
    with pytest.raises(ValueError, match="has no edits"):
        apply_fix(ROW, Fix(label="leave the row out", is_safe=False, drops_row=True))


def test_fixes_that_touch_different_places_are_applied_together() -> None:
    rename = fix(setting("objects", 0, "bbox_type", value="real"), removing("objects", 0, "bbox_typ"))
    result = apply_fixes(ROW, [fix(removing("images", 1)), fix(removing("images", 3)), rename, rename])
    assert result.row == {
        "query": "q",
        "images": ["a.png", "b.png"],
        "objects": [{"bbox": [1, 2, 3, 4], "bbox_type": "real"}],
    }
    assert (len(result.applied), result.postponed) == (3, ())


def test_fixes_that_touch_the_same_place_wait_for_each_other() -> None:
    first = fix(setting("images", value=["a.png"]))
    second = fix(removing("images", 1))
    result = apply_fixes(ROW, [first, second])
    assert (result.row or {})["images"] == ["a.png"]
    assert (result.applied, result.postponed) == ((first,), (second,))
    # A fix agrees with another that does the same on the way.
    other = fix(setting("images", value=["a.png"]), setting("response", value="r"))
    assert apply_fixes(ROW, [first, other]).applied == (first, other)


def test_leaving_out_comes_first_then_spelling_anew() -> None:
    edits, text = fix(setting("query", value="x")), Fix(label="spell", is_safe=False, text=b"{}")
    drop = Fix(label="leave the row out", is_safe=False, drops_row=True)
    result = apply_fixes(ROW, [edits, text, drop])
    assert (result.is_dropped, result.row, result.applied, result.postponed) == (True, None, (drop,), (edits, text))
    result = apply_fixes(None, [edits, text])
    assert (result.text, result.row, result.applied, result.postponed) == (b"{}", None, (text,), (edits,))
    assert apply_fixes(None, [edits]).postponed == (edits,)


def test_applying_again_what_sets_and_removes_keys_changes_nothing() -> None:
    rename = fix(setting("objects", 0, "bbox_type", value="real"), removing("objects", 0, "bbox_typ"))
    once = apply_fix(ROW, rename)
    assert apply_fix(once, rename) == once


def test_thousands_of_fixes_of_one_row_are_no_trouble() -> None:
    row = {"objects": json.dumps([{"bbox": [1, 2, 3, "4"]}] * 3000), "images": [None] * 3000}
    fixes = [fix(setting("objects", number, "bbox", 3, value=4)) for number in range(3000)]
    fixes += [fix(removing("images", number)) for number in range(3000)]
    fixes += [fix(setting("objects", number, "bbox", value=[])) for number in range(3000)]
    result = apply_fixes(row, fixes)
    assert result.row == {"objects": json.dumps([{"bbox": [1, 2, 3, 4]}] * 3000), "images": []}
    assert (len(result.applied), len(result.postponed)) == (6000, 3000)
