"""Render the usual rows with fewer calls: images, boxes and captions in the queries or answers, and no video.

What comes out is what :func:`dataprep.layouts.lay_out` makes of the same record; a property test holds one against the
other. A record that is not usual is handed on to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from dataprep.grounding import BoxCodec, UnitBox, to_unit
from dataprep.layouts import EncodeSettings, Layout, PlacedBox, PlacedImage, lay_out
from dataprep.records import GroundedObject, Number, Record
from dataprep.tags import IMAGE, REF_OBJECT, VIDEO, split_pieces
from dataprep.templates import Part, Slot, Text, merge_slots
from dataprep.tiling import ImageSize, choose_grid
from dataprep.tokenization import CONTEXT_TOKEN

_SLOTS = tuple(Slot(index) for index in range(64))
_MOST_KNOWN = 10_000


class LayoutMaker:
    """Makes layouts; keeps what the settings decide for all rows."""

    def __init__(self, settings: EncodeSettings) -> None:
        """Take the settings."""
        self._settings = settings
        self._template = settings.template
        self._codec = settings.codec
        self._has_separate_images = settings.model_type.has_separate_images
        default = self._template.default_system if settings.system is None else settings.system
        self._start = self._template.render_system(default) + self._template.user_start
        self._placed: dict[tuple[int, int, int], PlacedImage] = {}

    def make(self, record: Record, image_sizes: Sequence[ImageSize]) -> Layout:
        """Return the layout of a record without videos.

        Args:
            record: The record; it has passed the rules.
            image_sizes: One per image of the record.
        """
        num_images = len(image_sizes)
        is_usual = num_images <= len(_SLOTS) and not record.videos
        for turn in record.turns if is_usual else ():
            query, answer = turn.query, turn.response
            num_images -= query.count(IMAGE)
            if VIDEO in query or (("<" in answer) and (IMAGE in answer or VIDEO in answer)):
                is_usual = False
        if not is_usual or num_images:
            return lay_out(record, self._settings, image_sizes=image_sizes)
        return self._make(record, image_sizes)

    def _make(self, record: Record, sizes: Sequence[ImageSize]) -> Layout:
        template, turns = self._template, record.turns
        objects = _Objects(record, self._codec, sizes)
        parts: list[Part] = []
        prompt: list[str] = []
        start = self._start
        if record.system is not None:
            start = template.render_system(record.system) + template.user_start
        pending, answer, num_images, last = [start], "", 0, len(turns) - 1
        for number, turn in enumerate(turns):
            if number:
                pending.append(template.user_start)
            for index, piece in enumerate(split_pieces(turn.query) if "<" in turn.query else (turn.query,)):
                if not index % 2:
                    pending.append(piece)
                elif piece != IMAGE:
                    pending.append(objects.replace(piece))
                else:
                    text = "".join(pending) + "<img>"
                    parts += Text(text), _SLOTS[num_images]
                    prompt += text, CONTEXT_TOKEN
                    pending = ["</img>\n"]
                    num_images += 1
            pending.append(template.answer_start)
            answer = turn.response
            if "<" in answer:
                pieces = split_pieces(answer)
                pieces[1::2] = map(objects.replace, pieces[1::2])
                answer = "".join(pieces)
            trained = answer + template.end if number == last else answer
            if trained:  # an empty answer of an earlier turn parts nothing
                text = "".join(pending)
                parts += Text(text), Text(trained, True)
                prompt += text, trained
                pending = []
            if number != last:
                pending.append(template.end)
        if num_images > 1 and not self._has_separate_images:
            parts = merge_slots(parts)
            prompt = [part.text if isinstance(part, Text) else CONTEXT_TOKEN * part.count for part in parts]
        prompt.pop()
        images = tuple([self._place(index, size) for index, size in enumerate(sizes)])
        return Layout(tuple(parts), images, objects.placed(), "".join(prompt), answer)

    def _place(self, source: int, size: ImageSize) -> PlacedImage:
        width, height = size.width, size.height
        known = self._placed.get((source, width, height))
        if known is None:
            settings = self._settings
            grid = choose_grid(width, height, max_num=settings.max_num, tile_size_px=settings.tiles.tile_size_px)
            if len(self._placed) >= _MOST_KNOWN:
                self._placed.clear()
            known = self._placed[source, width, height] = PlacedImage("image", source, -1, width, height, grid)
        return known


class _Objects:
    """The objects of one record, whose captions and boxes are used up in the order of the tags."""

    def __init__(self, record: Record, codec: BoxCodec, sizes: Sequence[ImageSize]) -> None:
        self._objects = record.objects or ()
        self._codec = codec
        self._sizes = sizes
        self._captions, self._boxes = iter(self._objects), iter(self._objects)

    def replace(self, tag: str) -> str:
        """Return what stands for the next tag of a caption or a box; without objects, the tag is text."""
        if not self._objects:
            return tag
        codec = self._codec
        if tag == REF_OBJECT:
            return codec.format_caption(next(self._captions).caption or "")
        entry = next(self._boxes)
        size, kind = self._sizes[entry.image], entry.bbox_type
        return codec.format_boxes([codec.to_model(box, kind, size.width, size.height) for box in entry.boxes])

    def placed(self) -> tuple[PlacedBox, ...]:
        """Return every box of every object; without videos, images stand in their own order."""
        return tuple(
            [
                PlacedBox(entry.caption or "", self._to_unit(box, entry), entry.image)
                for entry in self._objects
                for box in entry.boxes
            ]
        )

    def _to_unit(self, box: Sequence[Number], entry: GroundedObject) -> UnitBox:
        size = self._sizes[entry.image]
        return to_unit(box, entry.bbox_type, size.width, size.height)
