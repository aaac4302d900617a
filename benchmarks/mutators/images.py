"""Defects of image references and image files."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.mutators.base import Desk, Line, Row, of_rows
from benchmarks.mutators.pictures import (
    as_jpeg,
    as_png,
    encode,
    open_rgb,
    overwrite_scan,
    png_bomb,
    with_orientation,
)

DAMAGED = "M310 M318 M302"


def _swap(row: Row, path: str) -> Row:
    return row | {"images": [path, *row["images"][1:]]}


def _first(row: Row, desk: Desk) -> bytes:
    return desk.read(row["images"][0])


@of_rows("file-missing", "M301", seeds="image", level=2)
def file_missing(row: Row, desk: Desk) -> Line:
    """The picture was never downloaded."""
    return _swap(row, "nowhere/8f3a.jpg")


@of_rows("file-in-other-letter-case", "M301", seeds="image", level=2, says="did you mean")
def letter_case(row: Row, desk: Desk) -> Line:
    """Written on a system that does not tell .JPG from .jpg."""
    path = Path(row["images"][0])
    return _swap(row, str(path.with_name(path.name.swapcase())))


@of_rows("file-with-near-name", "M301", seeds="image", level=2, says="did you mean")
def near_name(row: Row, desk: Desk) -> Line:
    """Off by a zero: 00012.jpg where 0012.jpg lies there."""
    path = Path(row["images"][0])
    return _swap(row, str(path.with_name("0" + path.name)))


@of_rows("folder-of-the-dataset-doubled", "M301", seeds="image", level=2)
def doubled_folder(row: Row, desk: Desk) -> Line:
    """The path is relative to another folder than the media root."""
    return _swap(row, "data/" + row["images"][0])


@of_rows("windows-path", "M301", seeds="image", level=2)
def windows_path(row: Row, desk: Desk) -> Line:
    """Written on Windows, with backslashes."""
    return _swap(row, row["images"][0].replace("/", "\\"))


@of_rows("percent-encoded-path", "M301", seeds="image", level=2)
def percent_path(row: Row, desk: Desk) -> Line:
    """A path taken out of a URL."""
    return _swap(row, row["images"][0].replace("/", "%2F"))


@of_rows("file-outside-root", "M304", seeds="image", level=2)
def outside(row: Row, desk: Desk) -> Line:
    """A path that climbs out of the media root."""
    return _swap(row, "../../etc/hostname")


@of_rows("absolute-path-outside-root", "M304", seeds="image", level=2)
def absolute(row: Row, desk: Desk) -> Line:
    """An absolute path of the author's machine."""
    return _swap(row, "/home/somebody/data/a.jpg")


@of_rows("link-out-of-root", "M304", seeds="image", level=2)
def link_outside(row: Row, desk: Desk) -> Line:
    """A symbolic link that leads out of the media root."""
    path = desk.put(".jpg", b"")
    (desk.root / path).unlink()
    (desk.root / path).symlink_to("/etc/hostname")
    return _swap(row, path)


@of_rows("link-to-itself", "M301 M302", seeds="image", level=2)
def link_loop(row: Row, desk: Desk) -> Line:
    """A symbolic link that leads to itself."""
    path = desk.put(".jpg", b"")
    (desk.root / path).unlink()
    (desk.root / path).symlink_to(Path(path).name)
    return _swap(row, path)


@of_rows("url", "M305", seeds="image", level=2)
def url(row: Row, desk: Desk) -> Line:
    """The picture is somewhere on the internet."""
    return _swap(row, "https://example.org/a.jpg")


@of_rows("object-store-url", "M305", seeds="image", level=2)
def store_url(row: Row, desk: Desk) -> Line:
    """The picture is in an object store."""
    return _swap(row, "s3://bucket/a.jpg")


@of_rows("lfs-pointer", "M307", seeds="image", level=2)
def lfs_pointer(row: Row, desk: Desk) -> Line:
    """The repository was cloned without git lfs."""
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d" * 32 + "\nsize 12345\n"
    return _swap(row, desk.put(".jpg", text.encode()))


@of_rows("file-empty", "M303", seeds="image", level=2)
def file_empty(row: Row, desk: Desk) -> Line:
    """The download made a file and then failed."""
    return _swap(row, desk.put(".jpg", b""))


@of_rows("folder-for-a-file", "M302", seeds="image", level=2)
def folder(row: Row, desk: Desk) -> Line:
    """The path names a folder."""
    path = desk.put(".jpg", b"")
    (desk.root / path).unlink()
    (desk.root / path).mkdir()
    return _swap(row, path)


@of_rows("pipe-for-a-file", "M302", seeds="image", level=2)
def pipe(row: Row, desk: Desk) -> Line:
    """The path names a pipe; whoever opens it waits for ever."""
    path = desk.put(".jpg", b"")
    (desk.root / path).unlink()
    os.mkfifo(desk.root / path)
    return _swap(row, path)


@of_rows("error-page-for-a-file", "M302", seeds="image", level=2)
def error_page(row: Row, desk: Desk) -> Line:
    """The server answered with a page that says 404."""
    return _swap(row, desk.put(".jpg", b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n"))


@of_rows("video-among-images", "M302", seeds="image", level=2)
def video_as_image(row: Row, desk: Desk) -> Line:
    """A video is listed under images."""
    head = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + b"\x00" * 500
    return _swap(row, desk.put(".jpg", head))


@of_rows("heic-from-a-phone", "M302", seeds="image", level=2)
def heic(row: Row, desk: Desk) -> Line:
    """HEIC under .jpg, as phones send it."""
    head = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 500
    return _swap(row, desk.put(".jpg", head))


@of_rows("header-cut-off", "M318 M302", seeds="image", level=2)
def header_cut(row: Row, desk: Desk) -> Line:
    """Only the first bytes of the file are there."""
    return _swap(row, desk.put(".jpg", as_jpeg(_first(row, desk))[:300]))


@of_rows("png-under-jpg", "M317", seeds="image", level=2)
def png_under_jpg(row: Row, desk: Desk) -> Line:
    """PNG bytes under the name .jpg."""
    return _swap(row, desk.put(".jpg", as_png(_first(row, desk))))


@of_rows("webp-under-png", "M317", seeds="image", level=2)
def webp_under_png(row: Row, desk: Desk) -> Line:
    """WebP bytes under the name .png."""
    return _swap(row, desk.put(".png", encode(open_rgb(_first(row, desk)), "WEBP")))


@of_rows("jpeg-cut-in-half", DAMAGED, seeds="image", level=3)
def jpeg_half(row: Row, desk: Desk) -> Line:
    """The download stopped half way; the header is fine."""
    data = as_jpeg(_first(row, desk))
    return _swap(row, desk.put(".jpg", data[: len(data) // 2 + 600]))


@of_rows("jpeg-without-its-end", DAMAGED, seeds="image", level=3)
def jpeg_tail(row: Row, desk: Desk) -> Line:
    """The last two percent of the file are missing."""
    data = as_jpeg(_first(row, desk))
    return _swap(row, desk.put(".jpg", data[: int(len(data) * 0.98)]))


@of_rows("jpeg-zeros-in-scan", DAMAGED, seeds="image", level=3)
def jpeg_zeros(row: Row, desk: Desk) -> Line:
    """A block of zeros inside the scan data, as a bad disk leaves it: Pillow and OpenCV do not notice."""
    return _swap(row, desk.put(".jpg", overwrite_scan(as_jpeg(_first(row, desk)), b"\0", start=0.4, share=0.3)))


@of_rows("jpeg-noise-in-scan", DAMAGED, seeds="image", level=3)
def jpeg_noise(row: Row, desk: Desk) -> Line:
    """Bytes of another file inside the scan data."""
    noise = bytes(desk.random.randrange(255) for _ in range(4096))
    return _swap(row, desk.put(".jpg", overwrite_scan(as_jpeg(_first(row, desk)), noise, start=0.3, share=0.4)))


@of_rows("jpeg-ff-in-scan", DAMAGED, seeds="image", level=3)
def jpeg_ff(row: Row, desk: Desk) -> Line:
    """Erased flash memory: a block of ff inside the scan data."""
    return _swap(row, desk.put(".jpg", overwrite_scan(as_jpeg(_first(row, desk)), b"\xff", start=0.5, share=0.2)))


@of_rows("jpeg-text-in-scan", DAMAGED, seeds="image", level=3)
def jpeg_text(row: Row, desk: Desk) -> Line:
    """A text-mode transfer or a log line written into the picture."""
    line = b"2024-07-30 12:00:00 connection reset by peer\r\n"
    return _swap(row, desk.put(".jpg", overwrite_scan(as_jpeg(_first(row, desk)), line, start=0.2, share=0.3)))


@of_rows("jpeg-line-ends-changed", DAMAGED, seeds="image", level=3)
def jpeg_line_ends(row: Row, desk: Desk) -> Line:
    """Transferred as text: every 0a became 0d 0a, all over the scan."""
    data = as_jpeg(_first(row, desk))
    at = data.index(b"\xff\xda")
    return _swap(row, desk.put(".jpg", data[:at] + data[at:].replace(b"\n", b"\r\n")))


@of_rows("png-cut-in-half", DAMAGED, seeds="image", level=3)
def png_half(row: Row, desk: Desk) -> Line:
    """A PNG whose pixels end half way."""
    data = as_png(_first(row, desk))
    return _swap(row, desk.put(".png", data[: len(data) // 2]))


@of_rows("png-damaged-pixels", DAMAGED, seeds="image", level=3)
def png_damaged(row: Row, desk: Desk) -> Line:
    """A PNG with overwritten pixel data: its checksum is wrong."""
    data = as_png(_first(row, desk))
    middle = len(data) // 2
    return _swap(row, desk.put(".png", data[:middle] + b"\x55" * 200 + data[middle + 200 :]))


@of_rows("gif-cut-off", DAMAGED, seeds="image", level=3)
def gif_cut(row: Row, desk: Desk) -> Line:
    """A GIF whose pixels end early."""
    data = encode(open_rgb(_first(row, desk)), "GIF")
    return _swap(row, desk.put(".gif", data[: len(data) // 2]))


@of_rows("webp-cut-off", DAMAGED, seeds="image", level=3)
def webp_cut(row: Row, desk: Desk) -> Line:
    """A WebP that ends early."""
    data = encode(open_rgb(_first(row, desk)), "WEBP")
    return _swap(row, desk.put(".webp", data[: len(data) // 2]))


@of_rows("cmyk", "M311", seeds="image", level=2)
def cmyk(row: Row, desk: Desk) -> Line:
    """A JPEG for print: its colours come out wrong."""
    return _swap(row, desk.put(".jpg", encode(open_rgb(_first(row, desk)).convert("CMYK"), "JPEG")))


@of_rows("sixteen-bits", "M312", seeds="image", level=2)
def sixteen_bits(row: Row, desk: Desk) -> Line:
    """A 16-bit picture of a microscope: Pillow clips it to white."""
    image = open_rgb(_first(row, desk)).convert("L").convert("I").point(lambda value: value * 256).convert("I;16")
    return _swap(row, desk.put(".png", encode(image, "PNG")))


@of_rows("palette", "M313", seeds="image", level=2)
def palette(row: Row, desk: Desk) -> Line:
    """A picture of few colours."""
    return _swap(row, desk.put(".png", encode(open_rgb(_first(row, desk)).quantize(64), "PNG")))


@of_rows("animated-gif", "M314", also="M313 M315", seeds="image", level=2)
def animated_gif(row: Row, desk: Desk) -> Line:
    """An animation of which only the first frame counts."""
    image = open_rgb(_first(row, desk)).resize((80, 60))
    others = [image.rotate(90 * turn) for turn in (1, 2, 3)]
    return _swap(row, desk.put(".gif", encode(image, "GIF", save_all=True, append_images=others)))


@of_rows("animated-webp", "M314", also="M315", seeds="image", level=2)
def animated_webp(row: Row, desk: Desk) -> Line:
    """An animated WebP."""
    image = open_rgb(_first(row, desk)).resize((80, 60))
    others = [image.rotate(90 * turn) for turn in (1, 2, 3)]
    return _swap(row, desk.put(".webp", encode(image, "WEBP", save_all=True, append_images=others)))


@of_rows("animated-png", "M314", also="M315", seeds="image", level=2)
def animated_png(row: Row, desk: Desk) -> Line:
    """An animated PNG."""
    image = open_rgb(_first(row, desk)).resize((80, 60))
    others = [image.rotate(90 * turn) for turn in (1, 2, 3)]
    return _swap(row, desk.put(".png", encode(image, "PNG", save_all=True, append_images=others)))


@of_rows("transparent", "M315", seeds="image", level=3)
def transparent(row: Row, desk: Desk) -> Line:
    """A logo on a transparent ground: what was invisible becomes black or noise."""
    image = open_rgb(_first(row, desk)).convert("RGBA")
    image.putalpha(image.convert("L").point(lambda value: 255 if value > 100 else 0))
    return _swap(row, desk.put(".png", encode(image, "PNG")))


@of_rows("pixel-bomb", "M306", seeds="image", level=2)
def bomb(row: Row, desk: Desk) -> Line:
    """A file of 100 bytes that unpacks to gigabytes."""
    return _swap(row, desk.put(".png", png_bomb(60_000, 60_000)))


@of_rows("picture-far-too-wide", "M316", seeds="image", level=2)
def too_wide(row: Row, desk: Desk) -> Line:
    """A line of text as a picture, 60 times as wide as high: every tile is squashed beyond use."""
    image = open_rgb(_first(row, desk)).resize((1200, 20))
    return _swap(row, desk.put(".jpg", encode(image, "JPEG")))


@of_rows("picture-far-too-high", "M316", seeds="image", level=2)
def too_high(row: Row, desk: Desk) -> Line:
    """A web page as one picture."""
    image = open_rgb(_first(row, desk)).resize((40, 2400))
    return _swap(row, desk.put(".jpg", encode(image, "JPEG")))


@of_rows("turned-by-exif", "M308", seeds="image", level=2)
def turned(row: Row, desk: Desk) -> Line:
    """A photo of a phone held upright: tools disagree about its sides."""
    turn = desk.random.choice((3, 6, 8))
    return _swap(row, desk.put(".jpg", with_orientation(_first(row, desk), turn)))


@of_rows("turned-by-exif-with-boxes", "G410", seeds="box", level=2, also="M308 G402")
def turned_boxes(row: Row, desk: Desk) -> Line:
    """Boxes on a photo that EXIF turns: which way up were they drawn?"""
    turn = desk.random.choice((3, 6, 8))
    return _swap(row, desk.put(".jpg", with_orientation(_first(row, desk), turn)))


@of_rows("broken-data-uri", "M302", seeds="image", level=2)
def data_uri(row: Row, desk: Desk) -> Line:
    """An inline picture whose base64 is broken."""
    return _swap(row, "data:image/png;base64,iVBORw0KGgo*not*base64*")


@of_rows("gif-without-width", "M302", seeds="image", level=2)
def no_width(row: Row, desk: Desk) -> Line:
    """A picture with a side of zero pixels."""
    data = bytearray(encode(open_rgb(_first(row, desk)).resize((4, 4)), "GIF"))
    data[6:8] = b"\0\0"
    at = data.index(b",", 13)
    data[at + 5 : at + 7] = b"\0\0"
    return _swap(row, desk.put(".gif", bytes(data)))
