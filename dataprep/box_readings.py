"""Ways to read the four numbers of a box, and which of them fits many boxes.

A hypothesis is an order of the four numbers (corners, corner and size, centre and size, y before x) and a frame, the
largest x and y that they may have (the image in pixels, 1, 1000, or what a second normalisation makes of these). A box
fits if it has an area and lies inside the frame. From that:

* Where the declared hypothesis fits, it stands, unless a much smaller frame holds every box as well and boxes end at
  its edge: a thousand boxes on large images that all end at 1000 are thousandths, whatever they are called.
* Where it does not fit, the hypothesis that fits nearly all boxes wins; of several, the one whose frame is smallest,
  measured over distinct images as the odds that boxes would stay inside by chance.

Cost: a few numpy passes over the boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataprep.corpus import BBOX_TYPE_CODES

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FEWEST_BOXES = 20
"""Boxes below which nothing is said."""
FITS = 0.97
"""Share of boxes that a hypothesis must fit to be believed."""
STANDS = 0.9
"""Share of boxes from which on the declared hypothesis stands, and the others are single bad rows."""
FAR_OUT = 0.05
"""A box that exceeds its frame by a larger share of it is no overhang."""
FEWEST_AT_EDGE = 5
"""Boxes that end at the edge of a frame before that counts as a sign."""
_SURE = 13.8
"""Logarithm of the odds (a million to one) that boxes stay inside a smaller frame by chance."""
_CLOSE = 4.6
_EDGE = 0.97
_SLACK = 0.002  # rounding, in shares of the frame
_LARGE = 3  # frames below are of numbers that were normalised to 0..1

ORDERS = ("xyxy", "xywh", "cxcywh", "yxyx")
FRAMES = ("real", "norm_1", "norm_1000", "norm_1000 twice", "norm_1 twice", "norm_1 over size")
_ORDER_WORDS = {
    "xyxy": "",
    "xywh": " as x, y, width, height",
    "cxcywh": " as centre x, centre y, width, height",
    "yxyx": " as y1, x1, y2, x2",
}
_FRAME_WORDS = {
    "real": "pixels (real)",
    "upright": "pixels of the upright image",
    "norm_1": "norm_1 (0..1)",
    "norm_1000": "norm_1000 (0..1000)",
    "norm_1000 twice": "norm_1000 (0..1000) that was normalised a second time",
    "norm_1 twice": "norm_1 (0..1) that was normalised a second time, to 0..1000",
    "norm_1 over size": "norm_1 (0..1) that was normalised a second time, to 0..1",
}


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of one declared type: numbers of shape (n, 4), and one entry per box for the rest.

    Attributes:
        numbers: The numbers as written.
        widths: Width of the image in pixels; nan where it is not known.
        heights: Height likewise.
        turned: Whether the EXIF orientation swaps width and height.
        lines: Line of the row.
        images: Number of the image.
        folders: Number of the folder.
    """

    numbers: Floats
    widths: Floats
    heights: Floats
    turned: Bools
    lines: NDArray[np.int64]
    images: NDArray[np.int64]
    folders: NDArray[np.int64]

    def take(self, chosen: Bools) -> Boxes:
        """Return some of the boxes."""
        return Boxes(*(getattr(self, name)[chosen] for name in self.__slots__))

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """How to read four numbers: their order, and the frame that they lie in."""

    order: str
    frame: str

    def __str__(self) -> str:
        return f"{_FRAME_WORDS[self.frame]}{_ORDER_WORDS[self.order]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the numbers of some boxes really are, where that is not what they are declared as.

    Attributes:
        found: The hypothesis that fits; None where no single one does.
        boxes: Number of boxes.
        declared_fit: Share of them that fit what is declared, 0..1.
        found_fit: Share that fit ``found``.
        confidence: 0..1.
        line: Line of the first row with a box that fits ``found`` and not what is declared.
    """

    found: Hypothesis
    boxes: int
    declared_fit: float
    found_fit: float
    confidence: float
    line: int


def corners(numbers: Floats, order: str) -> Floats:
    """Return boxes as x1, y1, x2, y2, whatever the order of their numbers."""
    a, b, c, d = numbers.T
    if order == "xywh":
        return np.stack([a, b, a + c, b + d], axis=1)
    if order == "cxcywh":
        return np.stack([a - c / 2, b - d / 2, a + c / 2, b + d / 2], axis=1)
    if order == "yxyx":
        return np.stack([b, a, d, c], axis=1)
    return numbers


def unit_corners(
    boxes: Sequence[Sequence[float]], hypothesis: Hypothesis, width_px: int, height_px: int
) -> list[tuple[float, float, float, float]]:
    """Return boxes as x1, y1, x2, y2 in 0..1 of their image, read as a hypothesis says; nothing is clipped."""
    count = len(boxes)
    if not count:
        return []
    none = np.zeros(count, dtype=np.int64)
    numbers = np.array(boxes, dtype=np.float64)
    sizes = (np.full(count, float(width_px)), np.full(count, float(height_px)))
    max_x, max_y = frame_of(Boxes(numbers, *sizes, none > 0, none, none, none), hypothesis.frame)
    x1, y1, x2, y2 = corners(numbers, hypothesis.order).T
    columns = (x1 / max_x, y1 / max_y, x2 / max_x, y2 / max_y)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def frame_of(boxes: Boxes, frame: str) -> tuple[Floats, Floats]:
    """Return the largest x and y that each box may have; nan where the image's size is not known."""
    ones = np.ones(len(boxes))
    if frame == "upright":
        return boxes.heights, boxes.widths
    return {
        "real": (boxes.widths, boxes.heights),
        "norm_1": (ones, ones),
        "norm_1000": (1000 * ones, 1000 * ones),
        "norm_1000 twice": (1e6 / boxes.widths, 1e6 / boxes.heights),
        "norm_1 twice": (1000 / boxes.widths, 1000 / boxes.heights),
        "norm_1 over size": (1 / boxes.widths, 1 / boxes.heights),
    }[frame]


def fit(boxes: Boxes, hypothesis: Hypothesis, *, slack: float = _SLACK) -> Bools:
    """Return which boxes have an area and lie inside the frame; boxes on images of unknown size only need the area."""
    x1, y1, x2, y2 = corners(boxes.numbers, hypothesis.order).T
    max_x, max_y = (np.where(np.isnan(limit), np.inf, limit) for limit in frame_of(boxes, hypothesis.frame))
    smallest = -slack * np.minimum(np.minimum(max_x, max_y), 1000)
    inside = (x1 >= smallest) & (y1 >= smallest) & (x2 <= max_x * (1 + slack)) & (y2 <= max_y * (1 + slack))
    if hypothesis.frame == "norm_1 twice":
        inside &= (x2 >= x1) & (y2 >= y1)  # whole numbers 0..2: most areas are gone
    else:
        inside &= (x2 > x1) & (y2 > y1)
    if not hypothesis.frame.startswith("norm_1 ") and hypothesis.frame != "norm_1":
        inside &= boxes.numbers.max(axis=1) > 1  # nobody means a box within one pixel
    found: Bools = inside
    return found


def judge(boxes: Boxes, declared: Hypothesis) -> Verdict | None:
    """Return the verdict on some boxes; None if they are what they are declared as, or nobody can tell."""
    known = ~np.isnan(boxes.widths)
    if known.mean() > 0.5:
        boxes = boxes.take(known)
    fits = fit(boxes, declared)
    # Boxes that overhang a little are in the space that they are declared as.
    share = float(fit(boxes, declared, slack=FAR_OUT).mean())
    candidates = [h for h in _hypotheses(boxes, declared) if h != declared]
    if share >= STANDS:
        tighter = [h for h in candidates if h.order == "xyxy" and _is_tighter(boxes, h, declared)]
        return _verdict(boxes, tighter, fits, declared)
    believed = [h for h in candidates if fit(boxes, h).mean() >= FITS]
    return _verdict(boxes, believed, fits, declared)


def _hypotheses(boxes: Boxes, declared: Hypothesis) -> list[Hypothesis]:
    known = not np.isnan(boxes.widths).any()
    frames = FRAMES if known else ("norm_1", "norm_1000")
    found = []
    for frame in frames:
        for order in ORDERS:
            if order == "yxyx" and frame != "real":
                continue  # squares: the numbers cannot tell x from y
            if frame not in BBOX_TYPE_CODES and order != "xyxy":
                continue
            found.append(Hypothesis(order, frame))
    return found


def _extent(boxes: Boxes, hypothesis: Hypothesis) -> float:
    """Return the logarithm of the area of the frame, summed over distinct images: the smaller, the bolder."""
    _, firsts = np.unique(boxes.images, return_index=True)
    max_x, max_y = frame_of(boxes, hypothesis.frame)
    return float(np.log(max_x[firsts] * max_y[firsts]).sum())


def _at_edge(boxes: Boxes, hypothesis: Hypothesis) -> int:
    """Return how many boxes end at the right or lower edge of the frame."""
    _, _, x2, y2 = corners(boxes.numbers, hypothesis.order).T
    max_x, max_y = frame_of(boxes, hypothesis.frame)
    return int(((x2 >= _EDGE * max_x) | (y2 >= _EDGE * max_y)).sum())


def _is_tighter(boxes: Boxes, hypothesis: Hypothesis, declared: Hypothesis) -> bool:
    """Return whether a frame holds all boxes that is too small, for that to be chance, beside the declared one."""
    if np.isnan(frame_of(boxes, declared.frame)[0]).any():
        return False
    if fit(boxes, hypothesis).mean() < 0.995:
        return False
    max_x, max_y = frame_of(boxes, hypothesis.frame)
    limit_x, limit_y = frame_of(boxes, declared.frame)
    _, firsts = np.unique(boxes.images, return_index=True)
    shares = np.minimum(max_x / limit_x, 1) * np.minimum(max_y / limit_y, 1)
    odds = -float(np.log(shares[firsts]).sum())
    needed = max(FEWEST_AT_EDGE, len(boxes) // 50)
    if hypothesis.frame in ("norm_1", "norm_1 twice"):
        needed = 0  # pixels and thousandths below 3 have no other reading
        if float(np.nanmax(limit_x)) <= _LARGE:
            return False
    return odds >= _SURE and _at_edge(boxes, hypothesis) >= needed


def _verdict(boxes: Boxes, believed: list[Hypothesis], declared_fits: Bools, declared: Hypothesis) -> Verdict | None:
    if not believed:
        return None
    extents = sorted((_extent(boxes, h), ORDERS.index(h.order), h.frame != declared.frame, str(h), h) for h in believed)
    extent, *_, found = extents[0]
    # Of hypotheses with one frame the plainest order comes first; odds are those against the next frame.
    others = [e for e, *_, h in extents[1:] if h.frame != found.frame or h.order == "yxyx"]
    odds = others[0] - extent if others else np.inf
    if odds < _CLOSE and len({h for _, *_, h in extents}) > 1:
        near = [h for e, *_, h in extents if e - extent < _CLOSE]
        found = min(near, key=lambda h: (h.order != "xyxy", h.frame != declared.frame))
    fits = fit(boxes, found)
    certainty = float(fits.mean()) * (1 - 0.5 * float(np.exp(-max(min(float(odds), 50.0), 0.0) / 2)))
    is_proof = fits & ~declared_fits
    place = int(np.argmax(is_proof)) if is_proof.any() else int(np.argmax(fits))
    return Verdict(
        found=found,
        boxes=len(boxes),
        declared_fit=float(declared_fits.mean()),
        found_fit=float(fits.mean()),
        confidence=min(certainty, 0.99),
        line=int(boxes.lines[place]),
    )


def judge_turned(boxes: Boxes) -> Verdict | None:
    """Return a verdict if boxes on images that EXIF turns by a quarter lie on the other way round."""
    boxes = boxes.take(~np.isnan(boxes.widths))
    if len(boxes) < FEWEST_BOXES // 2:
        return None
    stored, upright = Hypothesis("xyxy", "real"), Hypothesis("xyxy", "upright")
    fits = fit(boxes, stored)
    if fits.mean() >= STANDS or fit(boxes, upright).mean() < FITS:
        return None
    return _verdict(boxes, [upright], fits, stored)
