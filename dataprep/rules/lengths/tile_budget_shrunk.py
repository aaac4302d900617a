"""Flag rows whose many images leave few tiles to each. Cost: choosing grids again, for rows that are too long."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem, Severity
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext
from dataprep.tiling import choose_grid


class TileBudgetShrunk(Rule):
    """Many images leave few tiles to each.

    ## What it does
    Reports rows of several images that are longer than --max-length, and says how many tiles each
    image may have at most so that the row fits.
    ## Why it matters
    Tiles are what details are seen in: with a budget of two or three, small text and small objects
    are gone.
    ## Example
    6 screenshots of 13 tiles each with `--max-length 4096`: at most 2 tiles each fit
    ## Use instead
    Split the row, raise --max-length, or pass the --max-num that is named if details do not matter.
    ## Options
    None.
    ## Source
    dataprep/tiling.py; OpenGVLab/InternVL divides the tiles of a row by its images in the same way
    """

    name = "tile-budget-shrunk"
    severity = Severity.WARNING
    level = Level.TOKENS

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield the problem."""
        limit, model, layout = context.max_length, context.model_type, row.layout
        if limit is None or model is None or layout is None or row.num_tokens is None or row.num_tokens <= limit:
            return
        images = [image for image in layout.images if image.kind == "image"]
        most = max((image.grid.columns * image.grid.rows for image in images), default=1)
        if len(images) < 2 or most == 1:
            return
        per_tile = row.num_image_tokens // sum(image.grid.tiles for image in layout.images)
        tiles_now = sum(image.grid.tiles for image in images)
        for budget in range(most - 1, 0, -1):
            grids = [
                choose_grid(image.width, image.height, max_num=budget, tile_size_px=model.tile_size_px)
                for image in images
            ]
            tokens = row.num_tokens - per_tile * (tiles_now - sum(grid.tiles for grid in grids))
            if tokens <= limit:
                message = f"{len(images)} images of up to {most} tiles do not fit; with at most {budget} each they do"
                yield Problem(message=message, help=f"split the row, raise --max-length or pass --max-num {budget}")
                return
        message = f"{len(images)} images do not fit, even at one tile each ({tokens} tokens)"
        yield Problem(message=message, help="split the row or raise --max-length")
