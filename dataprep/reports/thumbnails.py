"""Small pictures of the images that findings are about, with the row's boxes drawn on them, as data URIs.

Rows are read again up to the last one that is wanted; nothing is drawn for rows without a readable image.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dataprep.config import LintConfig
from dataprep.errors import DataprepError, MediaError
from dataprep.findings import Finding, Location
from dataprep.formats.reading import read_record
from dataprep.grounding import BBOX_TYPES, to_unit
from dataprep.media.index import MediaIndex
from dataprep.parsing import parse_row
from dataprep.records import Record
from dataprep.rules.runner import media_root_of
from dataprep.sources import RawRow, read_rows

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE_PX = 320
MOST_BOXES = 40
_MOST_PIXELS = 50_000_000
_BLAMED, _OTHER = (230, 30, 60), (40, 130, 240)
_FIELD = re.compile(r"(images|objects)\[(\d+)\]")


def draw_thumbnails(findings: Iterable[Finding], config: LintConfig) -> dict[tuple[Location, str], str]:
    """Return pictures for findings, by location and field.

    Args:
        findings: Findings about rows of files that can be read again.
        config: Where media lie, and whether their orientation is applied.
    """
    wanted: dict[str, dict[int, list[Finding]]] = {}
    for finding in findings:
        if finding.location.line:
            wanted.setdefault(finding.location.path, {}).setdefault(finding.location.line, []).append(finding)
    pictures: dict[tuple[Location, str], str] = {}
    for path, by_line in wanted.items():
        media = MediaIndex(media_root_of(path, config), allow_outside=config.allow_outside_root)
        for row in _read_some(path, by_line):
            for finding in by_line[row.location.line]:
                picture = _draw(row, finding, media, config)
                if picture:
                    pictures[finding.location, finding.field] = picture
    return pictures


def _read_some(path: str, lines: Iterable[int]) -> Iterator[RawRow]:
    remaining = set(lines)
    try:
        for row in read_rows(path):
            if row.location.line in remaining:
                remaining.discard(row.location.line)
                yield row
            if not remaining:
                return
    except DataprepError:
        return  # lint itself has said so


def _draw(row: RawRow, finding: Finding, media: MediaIndex, config: LintConfig) -> str | None:
    value, problem = parse_row(row)
    if value is None or problem is not None:
        return None
    record, _ = read_record(dict(value), row.location)
    if record is None:
        return None
    record = media.split_joined(record)
    match = _FIELD.match(finding.field)
    blamed = int(match[2]) if match and match[1] == "objects" else None
    index = _image_of(record, match)
    if not 0 <= index < len(record.images):
        return None
    facts = media.look_up(record.images[index])
    size = facts.image_size(exif=config.exif)
    if facts.error is not None or size is None or size.width * size.height > _MOST_PIXELS:
        return None
    try:
        image = _open(facts.path.read_bytes() if facts.path else facts.data or b"", apply_exif=config.exif == "apply")
    except (OSError, MediaError):
        return None
    return _encode(image, _boxes_on(record, index), blamed, (size.width, size.height))


def _image_of(record: Record, match: re.Match[str] | None) -> int:
    """Return the number of the image that a finding is about."""
    if match is None:
        return 0
    number = int(match[2])
    if match[1] == "images":
        return number
    objects = record.objects or ()
    return objects[number].image if number < len(objects) else 0


def _boxes_on(record: Record, image: int) -> Sequence[tuple[int, str, Sequence[float]]]:
    """Return number, type and corners of the boxes on an image."""
    return [
        (number, entry.bbox_type, box)
        for number, entry in enumerate(record.objects or ())
        if entry.image == image and entry.bbox_type in BBOX_TYPES
        for box in entry.boxes
    ][:MOST_BOXES]


def _open(data: bytes, *, apply_exif: bool) -> Image:
    from dataprep.media.decode import open_rgb

    return open_rgb(data, apply_exif=apply_exif, max_pixels=_MOST_PIXELS)


def _encode(
    image: Image, boxes: Sequence[tuple[int, str, Sequence[float]]], blamed: int | None, size: tuple[int, int]
) -> str:
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    image.thumbnail((SIDE_PX, SIDE_PX))
    units = [(number, to_unit(box, bbox_type, *size)) for number, bbox_type, box in boxes]
    # A box that leaves the image is drawn into a margin around it, so that one sees that it does.
    margin = 0.12 if any(not 0 <= c <= 1 for _, unit in units for c in unit) else 0.0
    left, top = round(margin * image.width), round(margin * image.height)
    canvas = PillowImage.new("RGB", (image.width + 2 * left, image.height + 2 * top), (128, 128, 128))
    canvas.paste(image, (left, top))
    draw = ImageDraw.Draw(canvas)
    # The box that the finding is about is drawn last, on top of the others.
    for number, unit in sorted(units, key=lambda entry: entry[0] == blamed):
        x1, y1, x2, y2 = (min(max(c, -margin), 1 + margin) for c in unit)
        xs = sorted((left + x1 * image.width, left + x2 * image.width))
        ys = sorted((top + y1 * image.height, top + y2 * image.height))
        is_blamed = number == blamed
        corners = (xs[0], ys[0], min(xs[1], canvas.width - 1), min(ys[1], canvas.height - 1))
        draw.rectangle(corners, outline=_BLAMED if is_blamed else _OTHER, width=3 if is_blamed else 2)
    stream = io.BytesIO()
    canvas.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
