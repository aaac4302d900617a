"""Orientation from EXIF blocks: the ordinary, the odd and the broken, always as Pillow says."""

from __future__ import annotations

import random
import struct
import warnings

import pytest
from PIL import Image

from dataprep.media.exif import BROKEN, normalise_orientation, orientation_from_exif
from dataprep.media.pillow import PILLOW_ERRORS


def block(order: str, *entries: tuple[int, int, int, bytes], payload: bytes = b"") -> bytes:
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "LH", 8, len(entries))
    body = b"".join(struct.pack(order + "HHL4s", *entry) for entry in entries)
    return head + body + bytes(4) + payload


def short(order: str, value: int) -> bytes:
    return struct.pack(order + "H2x", value)


def by_pillow(data: bytes) -> int | None:
    exif = Image.Exif()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exif.load(data)
            value = exif.get(0x0112)
        except PILLOW_ERRORS:
            return BROKEN
    return value if value is None else next((number for number in range(1, 9) if number == value), BROKEN)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("prefix", [b"", b"Exif\x00\x00", b"Exif\x00\x00" * 2])
def test_both_byte_orders_and_prefixes(order: str, prefix: bytes) -> None:
    assert orientation_from_exif(prefix + block(order, (0x0112, 3, 1, short(order, 6)))) == 6


def test_blocks_without_the_tag() -> None:
    assert orientation_from_exif(block("<", (0x0100, 3, 1, short("<", 6)))) is None
    assert orientation_from_exif(b"Exif\x00\x00") is None


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense",
        b"II*\x00",
        block("<", (0x0112, 3, 2, b"\x06\x00\x07\x00")),
        block("<", (0x0112, 2, 2, b"6\x00\x00\x00")),
        block("<", (0x0112, 4, 1, b"\x03\x00\x00\x00")),
        block("<", (0x0112, 5, 1, struct.pack("<L", 26)), payload=struct.pack("<LL", 6, 1)),
        block("<", (0x010F, 2, 90, struct.pack("<L", 5000)), (0x0112, 3, 1, short("<", 6))),
        block("<", (0x010F, 2, 8, struct.pack("<L", 38)), (0x0112, 3, 1, short("<", 6)), payload=b"a camera"),
    ],
)
def test_odd_blocks_agree_with_pillow(data: bytes) -> None:
    assert orientation_from_exif(data) == by_pillow(data)


def test_changed_blocks_agree_with_pillow() -> None:
    chance = random.Random(0)
    good = block("<", (0x010F, 2, 8, struct.pack("<L", 38)), (0x0112, 3, 1, short("<", 6)), payload=b"a camera")
    for _ in range(300):
        data = bytearray(good[: chance.randrange(20, len(good) + 1)])
        data[chance.randrange(len(data))] = chance.randrange(256)
        ours, theirs = orientation_from_exif(bytes(data)), by_pillow(bytes(data))
        assert normalise_orientation(ours) == normalise_orientation(theirs), bytes(data)


def test_xmp_is_asked_only_where_exif_has_no_tag() -> None:
    packet = b'<rdf tiff:Orientation="8">'
    assert normalise_orientation(None, packet) == 8
    assert normalise_orientation(6, packet) == 6
    assert normalise_orientation(BROKEN, packet) == 1
    assert normalise_orientation(None, b"<rdf/>") == 1
    assert normalise_orientation(9) == 1
