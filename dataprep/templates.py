"""Chat templates: the turns of a record as spans of text, each trained or not, and places for tiles.

A rendering is a list of parts in order. Text parts that stand next to each other and agree on ``is_trained`` are
joined, because the reference tokenizes them as one string; a :class:`Slot` stands for the context tokens of one or
more images. Nothing here knows a tokenizer. Source: templates and segment rules of ms-swift 2.6.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

IGNORE_INDEX = -100
"""The label of a position that carries no loss."""


@dataclass(frozen=True, slots=True)
class Text:
    """A stretch of text.

    Attributes:
        text: The text.
        is_trained: Whether it carries loss.
    """

    text: str
    is_trained: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """Context tokens of consecutive images.

    Attributes:
        first: Index of the first image, in the order of the slots.
        count: Number of images.
    """

    first: int
    count: int = 1


Part = Text | Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The texts around system prompt, queries and answers.

    Attributes:
        name: Key in :data:`TEMPLATES`.
        system_start: Before a system prompt.
        user_start: Before a query.
        answer_start: Between a query and its answer.
        end: After a system prompt, a query or an answer; also the text at which generation stops.
        default_system: System prompt of a row that names none.
    """

    name: str
    system_start: str
    user_start: str
    answer_start: str
    end: str
    default_system: str

    def render_system(self, system: str) -> str:
        """Return the system block; empty for no system prompt."""
        return f"{self.system_start}{system}{self.end}" if system else ""


_SHANGHAI = (
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。"
)


def _chatml(name: str, default_system: str) -> Template:
    return Template(
        name=name,
        system_start="<|im_start|>system\n",
        user_start="<|im_start|>user\n",
        answer_start="<|im_end|><|im_start|>assistant\n",
        end="<|im_end|>",
        default_system=default_system,
    )


def _phi3(name: str, default_system: str) -> Template:
    return Template(
        name=name,
        system_start="<|system|>\n",
        user_start="<|user|>\n",
        answer_start="<|end|><|assistant|>\n",
        end="<|end|>",
        default_system=default_system,
    )


TEMPLATES: dict[str, Template] = {
    template.name: template
    for template in (
        _chatml("internvl", "You are an AI assistant whose name is InternLM (书生·浦语)."),
        _phi3("internvl-phi3", "You are an AI assistant whose name is Phi-3."),
        _chatml("internvl2", _SHANGHAI),
        _phi3("internvl2-phi3", _SHANGHAI),
    )
}

# Turn and end tokens: spelled out in the data they would be read as the token itself.
CONTROL_TOKENS = (
    "<|im_start|>", "<|im_end|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>",
    "<s>", "</s>", "<unk>", "<|endoftext|>", "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|startoftext|>", "<IMG_CONTEXT>", "<img>", "</img>",
)  # fmt: skip
# Tokens of their own that a row may spell out all the same.
CONTENT_TOKENS = ("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>")


def render(
    template: Template, *, system: str, turns: Sequence[tuple[Sequence[Part], Sequence[Part] | None]]
) -> list[Part]:
    """Return the parts of a conversation, neighbouring texts joined.

    Args:
        template: The chat template.
        system: System prompt; empty for none.
        turns: Query and answer of each turn, as parts. An answer of None ends the text where the model is to
            speak; it may only be the last.
    """
    return list(_join(_lay_out(template, system, turns)))


def _lay_out(
    template: Template, system: str, turns: Sequence[tuple[Sequence[Part], Sequence[Part] | None]]
) -> Iterator[Part]:
    yield Text(template.render_system(system))
    for index, (query, answer) in enumerate(turns):
        yield Text(template.user_start)
        yield from query
        yield Text(template.answer_start)
        if answer is None:
            return
        yield from answer
        # The end of the last answer is tokenized with it; that of an earlier one with the turn that follows,
        # where it is trained all the same (see tokenization.assemble).
        yield Text(template.end, is_trained=index == len(turns) - 1)


def _join(parts: Iterator[Part]) -> Iterator[Part]:
    pieces: list[str] = []
    is_trained = False
    for part in parts:
        if isinstance(part, Text) and not part.text:
            continue
        is_break = isinstance(part, Slot) or part.is_trained != is_trained
        if is_break and pieces:
            yield Text("".join(pieces), is_trained)
            pieces = []
        if isinstance(part, Slot):
            yield part
            is_trained = False
        else:
            pieces.append(part.text)
            is_trained = part.is_trained
    if pieces:
        yield Text("".join(pieces), is_trained)


def merge_slots(parts: Sequence[Part]) -> list[Part]:
    """Return the parts with all slots, and whatever lies between them, as one slot at the first one's place.

    The older model types know one run of context tokens per conversation; the caller has made sure that
    nothing but the image markers lies between the slots.
    """
    places = [index for index, part in enumerate(parts) if isinstance(part, Slot)]
    if len(places) < 2:
        return list(parts)
    count = sum(part.count for part in parts if isinstance(part, Slot))
    return [*parts[: places[0]], Slot(0, count), *parts[places[-1] + 1 :]]
