"""Deterministic pictures of coloured shapes, and the facts that questions about them need.

A scene is a pure function of (seed, name): one to three shapes on a pale ground, no two of one colour or
one kind and no two boxes touching, so that "the red one" and "the oval" each name exactly one shape. `draw`
makes the picture; the box of a shape is the smallest one that holds its outline, in pixels, and it is known
before anything is drawn. Nothing here knows about rows, files or models.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

CANVAS_PX = 256
"""Side of every picture, in pixels."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 48, 49),
    "green": (0, 148, 84),
    "blue": (33, 102, 214),
    "yellow": (247, 201, 27),
    "purple": (137, 62, 186),
    "black": (38, 42, 48),
}
GROUNDS: tuple[tuple[int, int, int], ...] = (
    (250, 250, 247),
    (238, 243, 248),
    (247, 241, 234),
    (239, 246, 239),
)

GRID_PX = 32
"""Corners of boxes lie on a grid of this step, so that coordinates can be learnt in minutes. None lies on the
left or upper edge: then every coordinate that the model writes has three digits."""

COUNTS = (1, 2, 2, 3)
"""Numbers of shapes of a scene, as often as they are to occur: several are harder to tell apart than one."""

_MIN_SIDE_CELLS, _MAX_SIDE_CELLS, _GAP_PX = 2, 3, 8
_SUPERSAMPLE = 2

Box = tuple[int, int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape: its colour, its kind, and its box (x1, y1, x2, y2) in pixels of the canvas."""

    colour: str
    kind: str
    box: Box

    @property
    def name(self) -> str:
        """The words that single it out in its scene, such as `red circle`."""
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture: its ground colour and its shapes, from left to right."""

    ground: tuple[int, int, int]
    shapes: tuple[Shape, ...]


def make_scene(seed: int, name: str, *, counts: Sequence[int] = COUNTS) -> Scene:
    """Invent the scene of that name; the same arguments give the same scene everywhere.

    Args:
        seed: Of all scenes of a data set.
        name: Of this one, such as `val/7`.
        counts: Numbers of shapes to choose from, each at most three.
    """
    rng = random.Random(f"scene/{seed}/{name}")
    count = rng.choice(counts)
    colours = rng.sample(sorted(COLOURS), count)
    kinds = rng.sample(sorted(OUTLINES), count)
    boxes = _place_boxes(rng, count)
    shapes = [Shape(colour, kind, box) for colour, kind, box in zip(colours, kinds, boxes, strict=True)]
    return Scene(rng.choice(GROUNDS), tuple(sorted(shapes, key=lambda shape: shape.box)))


def draw(scene: Scene) -> Image.Image:
    """Draw `scene` as an RGB picture of `CANVAS_PX` squared, with smooth edges."""
    side = CANVAS_PX * _SUPERSAMPLE
    image = Image.new("RGB", (side, side), scene.ground)
    pen = ImageDraw.Draw(image)
    for shape in scene.shapes:
        x1, y1, x2, y2 = (value * _SUPERSAMPLE for value in shape.box)
        corners = [(x1 + u * (x2 - x1 - 1), y1 + v * (y2 - y1 - 1)) for u, v in OUTLINES[shape.kind]()]
        pen.polygon(corners, fill=COLOURS[shape.colour])
    return image.reduce(_SUPERSAMPLE)


def move(scene: Scene, fraction: float) -> Scene:
    """Return `scene` with every shape on its way to the opposite side: 0 leaves it, 1 mirrors the places."""
    moved = []
    for shape in scene.shapes:
        x1, y1, x2, y2 = shape.box
        shift = round((CANVAS_PX - x1 - x2) * fraction)
        moved.append(Shape(shape.colour, shape.kind, (x1 + shift, y1, x2 + shift, y2)))
    return Scene(scene.ground, tuple(moved))


def _place_boxes(rng: random.Random, count: int) -> list[Box]:
    """Draw `count` boxes at random until none touches another; three always fit, so this ends."""
    while True:
        boxes = [_one_box(rng) for _ in range(count)]
        if not any(_touch(a, b) for k, a in enumerate(boxes) for b in boxes[:k]):
            return boxes


def _one_box(rng: random.Random) -> Box:
    cells = CANVAS_PX // GRID_PX
    width, height = (rng.randint(_MIN_SIDE_CELLS, _MAX_SIDE_CELLS) for _ in range(2))
    x, y = rng.randint(1, cells - width), rng.randint(1, cells - height)
    return (x * GRID_PX, y * GRID_PX, (x + width) * GRID_PX, (y + height) * GRID_PX)


def _touch(a: Box, b: Box) -> bool:
    gap_x = max(a[0], b[0]) - min(a[2], b[2])
    gap_y = max(a[1], b[1]) - min(a[3], b[3])
    return max(gap_x, gap_y) < _GAP_PX


def _oval(radius: float = 0.5) -> list[Point]:
    angles = [2 * math.pi * k / 72 for k in range(73)]
    return [(0.5 + radius * math.cos(a), 0.5 + radius * math.sin(a)) for a in angles]


def _ring() -> list[Point]:
    return _oval() + _oval(0.27)[::-1]


def _cross() -> list[Point]:
    inner, outer = 0.33, 0.67
    return [
        (inner, 0), (outer, 0), (outer, inner), (1, inner), (1, outer), (outer, outer),
        (outer, 1), (inner, 1), (inner, outer), (0, outer), (0, inner), (inner, inner),
    ]  # fmt: skip


OUTLINES: dict[str, Callable[[], list[Point]]] = {
    "oval": _oval,
    "rectangle": lambda: [(0, 0), (1, 0), (1, 1), (0, 1)],
    "triangle": lambda: [(0.5, 0), (1, 1), (0, 1)],
    "cross": _cross,
    "ring": _ring,
}
"""Outline of each kind as corners in 0..1 of its box; every outline touches all four sides."""
