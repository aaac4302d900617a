"""Pillow's global state is left as found, and its failures become MediaError."""

from __future__ import annotations

import io
import warnings

import pytest
from PIL import Image

from dataprep.errors import MediaError
from dataprep.media.pillow import check_pixels, open_image, quiet


def test_quiet_restores_limit_and_filters() -> None:
    filters, limit = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    with quiet(100):
        warnings.warn("not heard", UserWarning, stacklevel=1)
        assert Image.MAX_IMAGE_PIXELS == 50
    assert limit == Image.MAX_IMAGE_PIXELS
    assert list(warnings.filters) == filters


def test_opening_decodes_nothing_and_keeps_the_mode() -> None:
    buffer = io.BytesIO()
    Image.new("LA", (3, 2)).save(buffer, format="PNG")
    assert open_image(buffer.getvalue(), "a").mode == "LA"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"text", "not-an-image"), (b"\xff\xd8\xff\xe0\x00\x10JF", "truncated-header")],
)
def test_failures_have_reasons(data: bytes, reason: str) -> None:
    with pytest.raises(MediaError) as caught:
        open_image(data, "a.jpg")
    assert (caught.value.reason, caught.value.path) == (reason, "a.jpg")


def test_pixel_checks() -> None:
    check_pixels("a", (10, 10), 100)
    for size, reason in (((0, 5), "zero-size"), ((10, 11), "too-large")):
        with pytest.raises(MediaError) as caught:
            check_pixels("a", size, 100)
        assert caught.value.reason == reason
