"""Flag images whose pixels are damaged. Cost: a full decode, JPEGs at an eighth of their size."""

from __future__ import annotations

from collections.abc import Iterator

from dataprep.findings import Problem
from dataprep.rules.base import CheckedRow, Level, Rule, RuleContext


class ImageDataDamaged(Rule):
    """Image with damaged pixels.

    ## What it does
    Decodes every image strictly and reports those whose data do not add up: overwritten or lost
    scan data of a JPEG, a wrong checksum in the pixels of a PNG, whatever else a decoder refuses.
    Runs at level 3.
    ## Why it matters
    Pillow and OpenCV fill such places with grey or noise and say nothing: the model is taught a
    broken picture.
    ## Example
    a JPEG with a disk sector of zeros in its middle
    ## Use instead
    Copy the file again from its source, or leave the row out.
    ## Options
    None.
    ## Source
    libjpeg-turbo, warnings of the decoder; PNG third edition, section 5.3
    """

    name = "image-data-damaged"
    level = Level.PIXELS

    def check(self, row: CheckedRow, context: RuleContext) -> Iterator[Problem]:
        """Yield each image that does not decode."""
        for facts, pixels in zip(row.images, row.pixels, strict=True):
            if pixels.error is not None:
                message = f"{facts.shown_source} {pixels.error.detail}"
                yield Problem(message=message, field=facts.ref.field, help="copy the file again or leave the row out")
