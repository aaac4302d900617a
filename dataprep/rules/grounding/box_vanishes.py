"""Flag boxes too small for the model to see. Cost: arithmetic on the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.grounding import BoxCodec, to_unit
from dataprep.records import GroundedObject, Number
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tiling import ImageSize, choose_grid

_SMALLEST_PX = 3.0
_CODEC = BoxCodec()


def _explain(entry: GroundedObject, box: tuple[Number, ...], size: ImageSize, tiles: tuple[int, int, int]) -> str:
    """Say why a box vanishes; empty if it does not."""
    tile_size_px, columns, rows = tiles
    x1, y1, x2, y2 = to_unit(box, entry.bbox_type, size.width, size.height)
    if x1 >= x2 or y1 >= y2 or min(x1, y1) < 0 or max(x2, y2) > 1:
        return ""  # other rules speak of these
    written = _CODEC.to_model(box, entry.bbox_type, size.width, size.height)
    if written[0] == written[2] or written[1] == written[3]:
        return f"becomes {written} in thousandths, which has no area"
    seen = (tile_size_px * columns * (x2 - x1), tile_size_px * rows * (y2 - y1))
    if min(seen) < _SMALLEST_PX:
        grid = f"{columns}x{rows} tiles of {tile_size_px} px"
        return f"is {seen[0]:.1f} x {seen[1]:.1f} px once the image is cut into {grid}"
    return ""


class BoxVanishes(Rule):
    """Box that vanishes at the model's resolution.

    ## What it does
    Reports boxes that have an area as written, but none once they are turned into thousandths, and
    boxes that are less than three pixels wide or high once their image is cut into tiles.
    ## Why it matters
    The model is shown the image at the size of its tiles, and reads and writes boxes in
    thousandths: it cannot find what is not there.
    ## Example
    `[3000, 2000, 3006, 2009]` on a 6000x4000 image, which becomes 1344x896 pixels
    ## Use instead
    Leave the object out, or cut the image into parts and ask about those.
    ## Options
    None.
    ## Source
    dataprep/grounding.py; dataprep/tiling.py
    """

    name = "box-vanishes"
    severity = Severity.WARNING
    level = Level.MEDIA

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each box that the model cannot see."""
        model = context.model_type
        tile_size_px, max_num = (model.tile_size_px, model.max_num) if model is not None else (448, 12)
        for entry in row.checked_record.objects or ():
            size = context.image_size(row, entry.image)
            if size is None:
                continue
            grid = choose_grid(size.width, size.height, max_num=max_num, tile_size_px=tile_size_px)
            for box in entry.boxes:
                cause = _explain(entry, box, size, (tile_size_px, grid.columns, grid.rows))
                if cause:
                    message = f"box {list(box)} on the {size.width}x{size.height} image {cause}"
                    step = "check bbox_type; leave the object out or cut the image into parts"
                    yield Problem(message=message, field=f"{entry.field}.bbox", help=step)
                    break
