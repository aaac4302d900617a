"""Record -> layout: put media, boxes and captions where the tags stand, and render; without tokenizer and pixels.

``lay_out`` needs each image's width and height and each video's number of frames, so headers are enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dataprep.catalog import ModelType
from dataprep.grounding import BoxCodec, UnitBox, to_unit
from dataprep.records import GroundedObject, Record, Turn
from dataprep.tags import BBOX, IMAGE, REF_OBJECT, VIDEO, split_tags
from dataprep.templates import TEMPLATES, Part, Slot, Template, Text, merge_slots, render
from dataprep.tiling import ImageSize, TileGrid, choose_grid
from dataprep.tokenization import CONTEXT_TOKEN, TileSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeSettings:
    """What decides about a sample besides its row and its media.

    Attributes:
        model_type: The model type.
        tiles: Side of a tile and context tokens per tile.
        max_num: Most tiles per image, thumbnail not counted.
        system: System prompt of rows that name none; None means the template's own, ``""`` none.
        box_style: ``swift`` or ``internvl``.
        missing_image_tag: ``last`` or ``first``: the query that gets the tags that are missing.
        video_frames: Frames taken from each video.
        loss_mask: ``answers`` or ``last-answer``: what carries loss.
    """

    model_type: ModelType
    tiles: TileSettings
    max_num: int = 12
    system: str | None = None
    box_style: str = "swift"
    missing_image_tag: str = "last"
    video_frames: int = 8
    loss_mask: str = "answers"

    @property
    def template(self) -> Template:
        """The chat template of the model type."""
        return TEMPLATES[self.model_type.template]

    @property
    def codec(self) -> BoxCodec:
        """How boxes and captions are written."""
        return BoxCodec(style=self.box_style, family=self.model_type.box_family)


@dataclass(frozen=True, slots=True)
class VideoSize:
    """Width and height of a video's frames in pixels, and which frames are taken, by index."""

    width: int
    height: int
    frame_indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """One image or frame in the order of the slots.

    Attributes:
        kind: ``image`` or ``frame``.
        source: Index into the record's images (``image``) or videos (``frame``).
        frame_index: Frame number in the video; -1 for images.
        width: Pixels.
        height: Pixels.
        grid: Its tiles.
    """

    kind: str
    source: int
    frame_index: int
    width: int
    height: int
    grid: TileGrid


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A box as 0..1 of its image, with its caption; ``image`` counts in the order of the slots."""

    caption: str
    box: UnitBox
    image: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A record rendered, but not tokenized.

    Attributes:
        parts: Text and slots in order.
        images: One entry per image or frame, in slot order.
        boxes: The boxes of its objects.
        prompt: The text before the last answer; each image as one ``<IMG_CONTEXT>``.
        response: The last answer, without the end token.
    """

    parts: tuple[Part, ...]
    images: tuple[PlacedImage, ...]
    boxes: tuple[PlacedBox, ...]
    prompt: str
    response: str

    def slot_tokens(self, tokens_per_tile: int) -> list[int]:
        """Return the number of context tokens of each slot."""
        return [
            tokens_per_tile * sum(i.grid.tiles for i in self.images[part.first : part.first + part.count])
            for part in self.parts
            if isinstance(part, Slot)
        ]


def add_missing_tags(turns: Sequence[Turn], *, num_images: int, num_videos: int, where: str) -> list[Turn]:
    """Return the turns with the tags that are missing put, back to back, before the first or last query."""
    turns = list(turns)
    at = 0 if where == "first" else len(turns) - 1
    # Videos first: their tags go behind those of the images when both are missing, as in the reference.
    for tag, wanted in ((VIDEO, num_videos), (IMAGE, num_images)):
        missing = wanted - sum(turn.query.count(tag) for turn in turns)
        if missing > 0:
            turns[at] = replace(turns[at], query=tag * missing + turns[at].query)
    return turns


class _Placer:
    """Replace the tags of one record in text order; keeps count of what each kind of tag has used up."""

    def __init__(
        self,
        record: Record,
        settings: EncodeSettings,
        image_sizes: Sequence[ImageSize],
        video_sizes: Sequence[VideoSize],
    ) -> None:
        self.settings = settings
        self.codec = settings.codec
        self.objects = record.objects or ()
        self._counts_apart = record.captions is not None  # captions then belong to no object
        self.captions = [caption or "" for _, caption in record.caption_texts()]
        self.image_sizes = image_sizes
        self.video_sizes = video_sizes
        # The reference limits every image of a row with a video to one tile.
        self.max_num = 1 if video_sizes else settings.max_num
        self.images: list[PlacedImage] = []
        self.image_slots: list[int] = []  # record image -> slot order
        self.num_videos = self.num_boxes = self.num_captions = 0
        self._dropped = (0, 0, 0)  # images in the order of the slots, captions, boxes

    def drop(self) -> None:
        """Leave out what was placed so far."""
        self._dropped = (len(self.images), self.num_captions, self.num_boxes)

    def kept_images(self) -> tuple[PlacedImage, ...]:
        """Return the images and frames that are not left out."""
        return tuple(self.images[self._dropped[0] :])

    def renumber(self, parts: Sequence[Part]) -> list[Part]:
        """Return parts whose slots count the images that are not left out."""
        images = self._dropped[0]
        return [Slot(part.first - images, part.count) if isinstance(part, Slot) else part for part in parts]

    def place(self, text: str, *, is_trained: bool = False) -> Iterator[Part]:
        """Yield the parts of a query or an answer; what lies between two pictures is one text."""
        if "<" not in text:
            yield Text(text, is_trained)
            return
        pieces: list[str] = []
        for is_tag, piece in split_tags(text):
            if not is_tag:
                pieces.append(piece)
            elif piece in (BBOX, REF_OBJECT):
                pieces.append(self._replace_object_tag(piece))
            else:
                yield Text("".join(pieces), is_trained)
                pieces = []
                yield from self._place_image() if piece == IMAGE else self._place_video()
        yield Text("".join(pieces), is_trained)

    def _place_image(self) -> Iterator[Part]:
        source = len(self.image_slots)
        self.image_slots.append(len(self.images))
        size = self.image_sizes[source]
        yield from self._place_picture("", PlacedImage("image", source, -1, size.width, size.height, self._grid(size)))

    def _place_video(self) -> Iterator[Part]:
        source = self.num_videos
        self.num_videos += 1
        video = self.video_sizes[source]
        grid = self._grid(ImageSize(video.width, video.height))
        for number, frame_index in enumerate(video.frame_indices, start=1):
            placed = PlacedImage("frame", source, frame_index, video.width, video.height, grid)
            yield from self._place_picture(f"Frame{number}: ", placed)

    def _place_picture(self, before: str, placed: PlacedImage) -> Iterator[Part]:
        yield Text(f"{before}<img>")
        yield Slot(len(self.images))
        yield Text("</img>\n")
        self.images.append(placed)

    def _grid(self, size: ImageSize) -> TileGrid:
        tile_size_px = self.settings.tiles.tile_size_px
        return choose_grid(size.width, size.height, max_num=self.max_num, tile_size_px=tile_size_px)

    def _replace_object_tag(self, tag: str) -> str:
        if not self.objects and not self.captions:
            return tag
        if tag == REF_OBJECT:
            self.num_captions += 1
            return self.codec.format_caption(self.captions[self.num_captions - 1])
        assert tag == BBOX
        entry = self.objects[self.num_boxes]
        self.num_boxes += 1
        size = self.image_sizes[entry.image]
        return self.codec.format_boxes(
            [self.codec.to_model(box, entry.bbox_type, size.width, size.height) for box in entry.boxes]
        )

    def placed_boxes(self) -> Iterator[PlacedBox]:
        """Yield every box of every object that is not left out; its image is negative if that is."""
        images, captions, boxes = self._dropped
        last_caption = 0 if self._counts_apart else self.num_captions
        for number, entry in enumerate(self.objects):
            if captions <= number < last_caption or boxes <= number < self.num_boxes or not (captions or boxes):
                slot = self.image_slots[entry.image] - images
                yield from _unit_boxes(entry, self.image_sizes[entry.image], slot)


def _unit_boxes(entry: GroundedObject, size: ImageSize, slot: int) -> Iterator[PlacedBox]:
    for box in entry.boxes:
        yield PlacedBox(entry.caption or "", to_unit(box, entry.bbox_type, size.width, size.height), slot)


def lay_out(
    record: Record,
    settings: EncodeSettings,
    *,
    image_sizes: Sequence[ImageSize],
    video_sizes: Sequence[VideoSize] = (),
    is_prompt: bool = False,
    first_turn: int = 0,
) -> Layout:
    """Render a record that has passed the rules.

    Args:
        record: The record.
        settings: Model type, tiles and conventions.
        image_sizes: One per image of the record.
        video_sizes: One per video of the record.
        is_prompt: Whether the last answer is still to come: the rendering then ends where the model speaks.
        first_turn: Turns before this one are left out, with their images and boxes. A box that is not left out may then
            be of an image that is; its ``image`` is negative, and the layout is of no use.
    """
    placer = _Placer(record, settings, image_sizes, video_sizes)
    turns = add_missing_tags(
        record.turns,
        num_images=len(image_sizes),
        num_videos=len(video_sizes),
        where=settings.missing_image_tag,
    )
    placed: list[tuple[list[Part], list[Part] | None]] = []
    for index, turn in enumerate(turns):
        if index == first_turn:
            placer.drop()
        is_open = is_prompt and index == len(turns) - 1
        query = list(placer.place(turn.query))
        placed.append((query, None if is_open else list(placer.place(turn.response, is_trained=True))))
    parts = render(settings.template, system=_choose_system(record, settings), turns=placed[first_turn:])
    if first_turn:
        parts = placer.renumber(parts)
    if not settings.model_type.has_separate_images:
        parts = merge_slots(parts)
    prompt, response = _split_for_evaluation(parts, placed[-1][1] or [])
    return Layout(tuple(parts), placer.kept_images(), tuple(placer.placed_boxes()), prompt, response)


def _choose_system(record: Record, settings: EncodeSettings) -> str:
    if record.system is not None:
        return record.system
    return settings.template.default_system if settings.system is None else settings.system


def _split_for_evaluation(parts: Sequence[Part], last_answer: Sequence[Part]) -> tuple[str, str]:
    response = "".join(part.text for part in last_answer if isinstance(part, Text))
    before = parts[:-1] if last_answer else parts
    texts = (part.text if isinstance(part, Text) else CONTEXT_TOKEN * part.count for part in before)
    return "".join(texts), response
