"""Templates: the text of conversations as spans, joined as the reference joins them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.templates import CONTENT_TOKENS, CONTROL_TOKENS, TEMPLATES, Part, Slot, Text, merge_slots, render

CHATML = (
    "<|im_start|>system\nS<|im_end|><|im_start|>user\nQ1<|im_end|><|im_start|>assistant\nA1<|im_end|>"
    "<|im_start|>user\nQ2<|im_end|><|im_start|>assistant\nA2<|im_end|>"
)
PHI3 = "<|system|>\nS<|end|><|user|>\nQ1<|end|><|assistant|>\nA1<|end|><|user|>\nQ2<|end|><|assistant|>\nA2<|end|>"
TURNS = [([Text("Q1")], [Text("A1", True)]), ([Text("Q2")], [Text("A2", True)])]


def text_of(parts: list[Part]) -> str:
    return "".join(part.text if isinstance(part, Text) else "<slot>" for part in parts)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("internvl", CHATML), ("internvl2", CHATML), ("internvl-phi3", PHI3), ("internvl2-phi3", PHI3)],
)
def test_text_of_a_conversation(name: str, expected: str) -> None:
    assert text_of(render(TEMPLATES[name], system="S", turns=TURNS)) == expected


def test_default_system_prompts() -> None:
    assert TEMPLATES["internvl"].default_system == "You are an AI assistant whose name is InternLM (书生·浦语)."
    assert TEMPLATES["internvl-phi3"].default_system == "You are an AI assistant whose name is Phi-3."
    prompt = TEMPLATES["internvl2"].default_system
    assert prompt == TEMPLATES["internvl2-phi3"].default_system
    assert "多模态大模型，英文名叫InternVL, 是一个" in prompt, "a wide comma, then a narrow one and a space"


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_system_prompt_leaves_no_block(name: str) -> None:
    template = TEMPLATES[name]
    assert text_of(render(template, system="", turns=TURNS)).startswith(template.user_start)
    assert template.render_system("") == ""


@pytest.mark.parametrize("name", TEMPLATES)
def test_answers_are_trained_and_the_last_one_with_its_end(name: str) -> None:
    template = TEMPLATES[name]
    parts = render(template, system="S", turns=TURNS)
    assert [part.text for part in parts if isinstance(part, Text) and part.is_trained] == ["A1", f"A2{template.end}"]
    assert [part.is_trained for part in parts if isinstance(part, Text)] == [False, True, False, True]


def test_a_slot_parts_the_text_and_its_markers_join_their_neighbours() -> None:
    query = [Text("see "), Text("<img>"), Slot(0), Text("</img>\n"), Text("Q")]
    parts = render(TEMPLATES["internvl2"], system="", turns=[(query, [Text("A", True)])])
    assert parts == [
        Text("<|im_start|>user\nsee <img>"),
        Slot(0),
        Text("</img>\nQ<|im_end|><|im_start|>assistant\n"),
        Text("A<|im_end|>", True),
    ]


def test_a_prompt_ends_where_the_model_speaks() -> None:
    parts = render(TEMPLATES["internvl2"], system="", turns=[TURNS[0], ([Text("Q2")], None)])
    assert text_of(parts).endswith("<|im_start|>user\nQ2<|im_end|><|im_start|>assistant\n")


PARTS = st.lists(
    st.builds(Text, st.text(st.sampled_from("ab<\n"), max_size=3), st.just(False)) | st.builds(Slot, st.integers(0, 3)),
    max_size=5,
)


ANSWERS = st.lists(st.builds(Text, st.text("ab\n", min_size=1, max_size=3), st.just(True)), min_size=1, max_size=3)


@given(st.lists(st.tuples(PARTS, ANSWERS), min_size=1, max_size=3))
def test_joining_changes_no_text_and_leaves_no_neighbours_alike(turns: list[tuple[list[Part], list[Text]]]) -> None:
    template = TEMPLATES["internvl2"]
    parts = render(template, system="S", turns=turns)
    written = template.render_system("S") + "".join(
        template.user_start + text_of(query) + template.answer_start + text_of(list(answer)) + template.end
        for query, answer in turns
    )
    assert text_of(parts) == written
    for left, right in pairwise(parts):
        if isinstance(left, Text) and isinstance(right, Text):
            assert left.is_trained != right.is_trained
    assert all(part.text for part in parts if isinstance(part, Text))


def test_slots_merge_at_the_first_ones_place() -> None:
    parts = [Text("<img>"), Slot(0), Text("</img>\n<img>"), Slot(1), Text("</img>\n")]
    assert merge_slots(parts) == [Text("<img>"), Slot(0, 2), Text("</img>\n")]
    assert merge_slots(parts[:2]) == parts[:2]
    assert merge_slots([Text("a")]) == [Text("a")]


def test_content_tokens_are_no_control_tokens() -> None:
    assert not set(CONTENT_TOKENS) & set(CONTROL_TOKENS)
    for template in TEMPLATES.values():
        assert template.end in CONTROL_TOKENS
