"""Tags: found in text order, case sensitive, inline media turned into plain tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.tags import count_tag, find_inline_media, replace_inline_media, split_tags

PIECES = st.sampled_from(["<image>", "<video>", "<bbox>", "<ref-object>", "<", "image>", "<Image>", "a\nb", "中"])


@given(st.lists(PIECES).map("".join))
def test_splitting_loses_nothing(text: str) -> None:
    pieces = list(split_tags(text))
    assert "".join(piece for _, piece in pieces) == text
    assert all(piece for _, piece in pieces)
    for tag in ("<image>", "<video>", "<bbox>", "<ref-object>"):
        assert count_tag([text], tag) == pieces.count((True, tag))
        assert not any(tag in piece for is_tag, piece in pieces if not is_tag)


def test_split_in_text_order() -> None:
    assert list(split_tags("a<image><bbox> b<Image>")) == [
        (False, "a"), (True, "<image>"), (True, "<bbox>"), (False, " b<Image>")
    ]  # fmt: skip


def test_count_over_several_texts() -> None:
    assert count_tag(["<image><image>", "", "x<image>"], "<image>") == 3


@pytest.mark.parametrize(
    ("text", "found", "replaced"),
    [
        ("<img>a.png</img>q", [("image", "a.png")], "<image>q"),
        ("<video>v.mp4</video><img>a</img>", [("video", "v.mp4"), ("image", "a")], "<video><image>"),
        ("<img>a</img><img>b</img>", [("image", "a"), ("image", "b")], "<image><image>"),
        ("<img>a</video>", [], "<img>a</video>"),
        ("<img></img>", [], "<img></img>"),
        ("<img>a\nb</img>", [], "<img>a\nb</img>"),
        ("<video>", [], "<video>"),
        ("<IMG>a</IMG>", [], "<IMG>a</IMG>"),
    ],
)
def test_inline_media(text: str, found: list[tuple[str, str]], replaced: str) -> None:
    assert find_inline_media(text) == found
    assert replace_inline_media(text) == replaced
