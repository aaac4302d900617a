"""A picture of sampled boxes on their images, file by file: as declared, and beside it as the detective reads them.

The sample is spread evenly over the rows with boxes, so that the same data give the same picture. Its size is bounded:
some rows of some files, each image in a cell of fixed size. Boxes that leave their image are drawn in its margin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from dataprep.config import LintConfig
from dataprep.errors import DataprepError, MediaError
from dataprep.formats.reading import read_record
from dataprep.grounding import BBOX_TYPES
from dataprep.linting import LintReport
from dataprep.media.decode import open_rgb
from dataprep.media.index import MediaFacts, MediaIndex
from dataprep.parsing import parse_row
from dataprep.records import GroundedObject, Record
from dataprep.reports.visible import make_visible
from dataprep.rules.runner import media_root_of
from dataprep.sources import RawRow, read_rows
from dataprep.spaces import FileSpaces, Hypothesis, unit_corners

MOST_FILES = 8
_COLUMNS = 4
_CELL_PX = 300
_MARGIN_PX = 14  # around the image, inside its cell
_CAPTION_PX = 22
_HEADER_PX = 28
_MOST_BOXES = 12
_MOST_PIXELS = 50_000_000
_LONGEST_TEXT = 160
_BACKGROUND, _INK, _FAINT = (250, 250, 250), (20, 20, 20), (110, 110, 110)
_DECLARED, _FOUND = (0, 90, 230), (225, 90, 0)


@dataclass(frozen=True, slots=True)
class _Cell:
    """One image with boxes as 0..1 of it, in the colour of the reading, with a caption."""

    image: Image.Image
    boxes: list[tuple[float, float, float, float]]
    caption: str
    color: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    subtitle: str
    cells: list[_Cell]


def draw_contact_sheet(report: LintReport, config: LintConfig, path: Path) -> int:
    """Draw the boxes that lint has sampled, and write the picture.

    Args:
        report: What lint found, with ``box_lines`` and ``spaces``.
        config: The options of that run.
        path: The picture to write; its ending says of what kind.

    Returns:
        The number of images in it; without any nothing is written.

    Raises:
        OSError: If the picture cannot be written.
    """
    sections = [
        section
        for data_file, lines in list(report.box_lines.items())[:MOST_FILES]
        if data_file != "-" and (section := _draw_file(data_file, lines, report, config)).cells
    ]
    if sections:
        _compose(sections).save(path)
    return sum(len(section.cells) for section in sections)


def _draw_file(data_file: str, lines: Sequence[int], report: LintReport, config: LintConfig) -> _Section:
    media = MediaIndex(media_root_of(data_file, config), allow_outside=config.allow_outside_root)
    spaces = {s.bbox_type: s for s in report.spaces if s.path == data_file}
    cells = [cell for raw in _read_some(data_file, lines) for cell in _draw_row(raw, spaces, media, config)]
    found = [
        f"{verdict.boxes:,} boxes called {name} fit {verdict.found} (confidence {verdict.confidence:.0%})"
        for name, s in spaces.items()
        for verdict in (s.whole, s.turned)
        if verdict is not None
    ]
    counts = ", ".join(f"{s.boxes:,} {name}" for name, s in spaces.items() if s.boxes)
    title = f"{data_file}: {counts or 'boxes'}"
    return _Section(title, "; ".join(found) or "drawn as declared; nothing speaks for another space", cells)


def _read_some(data_file: str, lines: Sequence[int]) -> Iterator[RawRow]:
    wanted = set(lines)
    try:
        for raw in read_rows(data_file):
            if raw.location.line in wanted:
                wanted.discard(raw.location.line)
                yield raw
            if not wanted:
                return
    except DataprepError:
        return  # lint has read the file, and said so


def _draw_row(raw: RawRow, spaces: dict[str, FileSpaces], media: MediaIndex, config: LintConfig) -> Iterator[_Cell]:
    value, problem = parse_row(raw)
    record = read_record(dict(value), raw.location)[0] if value is not None and problem is None else None
    entry = next((entry for entry in (record.objects if record else None) or () if entry.bbox_type in BBOX_TYPES), None)
    if record is None or entry is None:
        return
    record = media.split_joined(record)
    facts = media.look_up(record.images[entry.image]) if 0 <= entry.image < len(record.images) else None
    if facts is None or facts.header is None or facts.header.width * facts.header.height > _MOST_PIXELS:
        return
    alike = _boxes_beside(record, entry)
    place = f"{raw.location.line}: {facts.shown_source}"
    is_applied = config.exif == "apply"
    try:
        image = _open(facts, apply_exif=is_applied)
        declared = Hypothesis("xyxy", entry.bbox_type)
        yield _Cell(image, unit_corners(alike, declared, *image.size), f"{entry.bbox_type}  {place}", _DECLARED)
        found = _reading_of(spaces.get(entry.bbox_type), is_turned=facts.header.orientation >= 5)
        if found is None:
            return
        if found.frame == "upright":
            other = _open(facts, apply_exif=not is_applied)
            yield _Cell(other, unit_corners(alike, declared, *other.size), f"turned  {place}", _FOUND)
        else:
            yield _Cell(image, unit_corners(alike, found, *image.size), f"{found}", _FOUND)
    except (MediaError, OSError):
        return  # damaged pixels: other rules speak of them


def _reading_of(spaces: FileSpaces | None, *, is_turned: bool) -> Hypothesis | None:
    if spaces is None:
        return None
    verdict = spaces.turned if is_turned and spaces.turned is not None else spaces.whole
    return None if verdict is None else verdict.found


def _boxes_beside(record: Record, entry: GroundedObject) -> list[tuple[float, ...]]:
    """Return the boxes of a record that are on the same image and of the same type as those of one entry."""
    alike = [o for o in record.objects or () if (o.image, o.bbox_type) == (entry.image, entry.bbox_type)]
    return [tuple(map(float, box)) for o in alike for box in o.boxes if len(box) == 4][:_MOST_BOXES]


def _open(facts: MediaFacts, *, apply_exif: bool) -> Image.Image:
    data = facts.data if facts.data is not None else facts.path.read_bytes() if facts.path is not None else b""
    return open_rgb(data, apply_exif=apply_exif, name=facts.shown_source)


def _compose(sections: Sequence[_Section]) -> Image.Image:
    cell_height = _CELL_PX + _CAPTION_PX
    heights = [2 * _HEADER_PX + -(-len(s.cells) // _COLUMNS) * cell_height for s in sections]
    sheet = Image.new("RGB", (_COLUMNS * _CELL_PX, sum(heights)), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(18), ImageFont.load_default(14)
    top = 0
    for section, height in zip(sections, heights, strict=True):
        draw.text((8, top + 4), _shown(section.title), fill=_INK, font=large)
        draw.text((8, top + _HEADER_PX + 2), _shown(section.subtitle), fill=_FAINT, font=small)
        for number, cell in enumerate(section.cells):
            row, column = divmod(number, _COLUMNS)
            place = (column * _CELL_PX, top + 2 * _HEADER_PX + row * cell_height)
            sheet.paste(_draw_cell(cell), place)
            caption = _fit(_shown(cell.caption), small, _CELL_PX - 12)
            draw.text((place[0] + 6, place[1] + _CELL_PX + 2), caption, fill=cell.color, font=small)
        top += height
    return sheet


def _draw_cell(cell: _Cell) -> Image.Image:
    canvas = Image.new("RGB", (_CELL_PX, _CELL_PX), _BACKGROUND)
    room = _CELL_PX - 2 * _MARGIN_PX
    scale = room / max(cell.image.size)
    width, height = (max(1, round(side * scale)) for side in cell.image.size)
    left, top = (_CELL_PX - width) // 2, (_CELL_PX - height) // 2
    canvas.paste(cell.image.resize((width, height), Image.Resampling.BILINEAR), (left, top))
    draw = ImageDraw.Draw(canvas)
    for box in cell.boxes:
        xs = sorted(_clip(left + x * width) for x in (box[0], box[2]))
        ys = sorted(_clip(top + y * height) for y in (box[1], box[3]))
        draw.rectangle((xs[0], ys[0], xs[1], ys[1]), outline=(255, 255, 255), width=4)
        draw.rectangle((xs[0], ys[0], xs[1], ys[1]), outline=cell.color, width=2)
    return canvas


def _clip(value: float) -> float:
    return min(max(value, 2.0), _CELL_PX - 3.0)


def _shown(text: str) -> str:
    visible = make_visible(text)
    return visible if len(visible) <= _LONGEST_TEXT else f"{visible[: _LONGEST_TEXT - 3]}..."


def _fit(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room_px: int) -> str:
    """Return a text, its middle left out where it would be wider than its cell."""
    if font.getlength(text) <= room_px:
        return text
    keep = len(text)
    while keep > 8 and font.getlength(f"{text[: keep // 3]}...{text[-(keep - keep // 3) :]}") > room_px:
        keep -= 1
    return f"{text[: keep // 3]}...{text[-(keep - keep // 3) :]}"
