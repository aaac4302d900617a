"""Questions and answers about scenes, as rows of the native format.

Every kind of row that a user's file may hold occurs: questions about colour, shape and number, captions,
grounding both ways (`<bbox>` in the answer, `<ref-object>` in the answer), boxes in all three coordinate
types and as list or JSON string, rows of several pictures and turns, a video, text alone. Each row is a
pure function of its scenes and the random generator handed in.

Two rules make the rows worth learning from. Questions in words come before boxes, are all of one kind and never
about one shape twice, so that no answer can be copied from an earlier turn. And a picture's shapes are asked
about one after the other in one row, so that its pixels are read once for several answers.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from train.demo.scenes import CANVAS_PX, COLOURS, OUTLINES, Box, Scene, Shape

Json = dict[str, object]
BBOX_TYPES = ("real", "norm_1", "norm_1000")

COLOUR, SHAPE, PICK, COUNT, WHERE, WHAT = "colour", "shape", "pick", "count", "where", "what"
QUESTION_KINDS = (COLOUR, SHAPE, PICK, COUNT, WHERE, WHAT)
"""The kinds of held-out questions. Colour and shape are asked of pictures of one shape; `pick` asks for the shape of a
colour among several, `where` is answered with a box, `what` with the words for a box."""

_TEXT_ONLY = (
    ("Which colours are there?", ", ".join(sorted(COLOURS))),
    ("Which shapes are there?", ", ".join(sorted(OUTLINES))),
    ("How wide is a picture?", f"{CANVAS_PX} pixels"),
    ("Is a rectangle round?", "no"),
    ("Is a ring round?", "yes"),
)

_COLOUR_SHARE = 0.3
"""Of the questions in words about a picture of one shape; shapes are harder to tell apart than colours."""


@dataclass(slots=True)
class Talk:
    """Turns about one picture, with the objects that their placeholders stand for, in order."""

    turns: list[tuple[str, str]] = field(default_factory=list)
    objects: list[Json] = field(default_factory=list)


def question(kind: str, shape: Shape, num_shapes: int) -> tuple[str, str]:
    """Return question and answer of one kind about one shape of a picture."""
    return {
        COLOUR: (f"What colour is the {shape.kind}?", shape.colour),
        SHAPE: (f"What shape is the {shape.colour} one?", shape.kind),
        PICK: (f"What shape is the {shape.colour} one?", shape.kind),
        COUNT: ("How many shapes are there?", str(num_shapes)),
        WHERE: (f"Where is the {shape.name}?", "<ref-object><bbox>"),
        WHAT: ("What is in <bbox>?", "<ref-object>"),
    }[kind]


def text_kinds(scene: Scene) -> tuple[str, ...]:
    """Return the kinds of questions about colour and shape that a picture is asked.

    Of several shapes the model is asked for the shape of a colour, not for the colour of a shape: looking a colour
    up begins to be learnt in minutes, looking a shape up takes far longer.
    """
    return (COLOUR, SHAPE) if len(scene.shapes) == 1 else (PICK,)


def training_row(rng: random.Random, scene: Scene, image: str) -> Json:
    """Return one row about one picture; its kind is drawn."""
    make = rng.choices((_questions_and_boxes, _boxes, _caption, _find), (60, 20, 5, 15))[0]
    return _row(rng, make(rng, scene), [image])


def paired_row(rng: random.Random, scenes: Sequence[Scene], images: Sequence[str]) -> Json:
    """Return a row of several pictures, each with its tag and its question in a turn of its own."""
    talk = Talk()
    for scene in scenes:
        shape = rng.choice(scene.shapes)
        asked, answer = question(rng.choice(text_kinds(scene)), shape, len(scene.shapes))
        talk.turns.append((f"<image>{asked}", answer))
    return _row(rng, talk, list(images))


def held_out_rows(rng: random.Random, scene: Scene, image: str) -> list[tuple[str, Json]]:
    """Return one single-turn row of each kind of question that the picture is asked."""
    rows = []
    for kind in (*text_kinds(scene), COUNT, WHERE, WHAT):
        shape = rng.choice(scene.shapes)
        talk = Talk([question(kind, shape, len(scene.shapes))])
        if kind in (WHERE, WHAT):
            talk.objects.append(make_object(shape, rng.choice(BBOX_TYPES)))
        rows.append((kind, _row(rng, talk, [image])))
    return rows


def text_rows() -> list[Json]:
    """Return the rows without a picture."""
    return [{"query": asked, "response": answer} for asked, answer in _TEXT_ONLY]


def video_row(video: str, shape: Shape) -> Json:
    """Return the row about a clip in which one shape crosses the picture."""
    return {"query": "<video>What moves?", "response": f"A {shape.name}.", "videos": [video]}


def make_object(shape: Shape, bbox_type: str) -> Json:
    """Return a shape as an entry of `objects`; the three coordinate types give the model the same text."""
    return {"caption": shape.name, "bbox": _in_type(shape.box, bbox_type), "bbox_type": bbox_type, "image": 0}


def vocabulary(scenes: Sequence[Scene]) -> list[str]:
    """Return text in the form in which the model will meet it, to train a tokenizer on."""
    texts = [" ".join(turn) for turn in _TEXT_ONLY]
    for scene in scenes:
        for shape in scene.shapes:
            asked = [question(kind, shape, len(scene.shapes)) for kind in QUESTION_KINDS]
            texts += [f"user\n{query}" for query, _ in asked] + [f"assistant\n{answer}" for _, answer in asked]
            texts += [shape.name, f" [[{', '.join(map(str, shape.box))}]] "]
        wholes = _caption(None, scene).turns + _find(None, scene).turns
        texts += [f"user\n{query} assistant\n{answer}" for query, answer in wholes]
    return texts


def _questions_and_boxes(rng: random.Random, scene: Scene) -> Talk:
    kinds = text_kinds(scene)
    kind = kinds[0] if rng.random() < _COLOUR_SHARE else kinds[-1]
    shapes = rng.sample(scene.shapes, len(scene.shapes))
    turns = [question(kind, shape, len(shapes)) for shape in shapes]
    if rng.random() < 0.25:
        turns.insert(rng.randint(0, len(turns)), question(COUNT, shapes[0], len(shapes)))
    boxes = _boxes(rng, scene)
    return Talk(turns + boxes.turns, boxes.objects)


def _boxes(rng: random.Random, scene: Scene) -> Talk:
    talk = Talk()
    for shape in rng.sample(scene.shapes, len(scene.shapes)):
        talk.turns.append(question(rng.choice((WHERE, WHERE, WHAT)), shape, len(scene.shapes)))
        talk.objects.append(make_object(shape, rng.choice(BBOX_TYPES)))
    return talk


def _caption(rng: random.Random | None, scene: Scene) -> Talk:
    return Talk([("Describe the picture.", f"A {' and a '.join(shape.name for shape in scene.shapes)}.")])


def _find(rng: random.Random | None, scene: Scene) -> Talk:
    bbox_type = rng.choice(BBOX_TYPES) if rng else "real"
    answer = ", ".join("<ref-object><bbox>" for _ in scene.shapes)
    return Talk([("Find every shape.", answer)], [make_object(shape, bbox_type) for shape in scene.shapes])


def _row(rng: random.Random, talk: Talk, images: list[str]) -> Json:
    """Write a talk as a row.

    A single question may leave its tag out. With a history the tag is needed: a missing one would go to the
    last query, and the earlier answers would be about a picture that the model has not yet seen. Objects
    are a list or a JSON string.
    """
    if "<image>" not in talk.turns[0][0] and (len(talk.turns) > 1 or rng.random() < 0.5):
        first_query, first_answer = talk.turns[0]
        talk.turns[0] = (f"<image>{first_query}", first_answer)
    *history, (query, response) = talk.turns
    row: Json = {"query": query, "response": response, "images": images}
    if history:
        row["history"] = [list(turn) for turn in history]
    if talk.objects:
        row["objects"] = talk.objects if rng.random() < 0.5 else json.dumps(talk.objects)
    return row


def _in_type(box: Box, bbox_type: str) -> list[float] | list[int]:
    if bbox_type == "real":
        return list(box)
    if bbox_type == "norm_1":
        return [value / CANVAS_PX for value in box]
    return [int(value / CANVAS_PX * 999) for value in box]
