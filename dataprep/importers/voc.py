"""Pascal VOC: one XML file per image, with boxes as xmin, ymin, xmax, ymax in pixels.

XML is read by defusedxml, which refuses entities and document types: an annotation needs neither, and an XML bomb is
made of them. The original VOC counts pixels from 1 and includes the last one; most tools that write such files today
count from 0, so ``origin`` says which it is. Source: the VOC development kit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataprep.errors import SourceError
from dataprep.importers.account import ImportAccount
from dataprep.importers.annotations import AnnotatedImage, LabelledBox, is_number, size_of, tidy
from dataprep.importers.image_folder import IMAGE_SUFFIXES, ImageFolder

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MOST_BYTES = 64 << 20
_FEWEST_BOXES = 100  # to tell from them what pixels are counted from
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def find_voc_images(path: Path) -> Path:
    """Return the folder of images that belongs to a folder of annotations: its sibling, or itself."""
    folder = path if path.is_dir() else path.parent
    for name in ("JPEGImages", "images"):
        if (folder.parent / name).is_dir():
            return folder.parent / name
    return folder


def read_voc(
    path: Path,
    folder: ImageFolder,
    account: ImportAccount,
    *,
    origin: int = 0,
    skip_difficult: bool = False,
    skip_truncated: bool = False,
) -> Iterator[AnnotatedImage]:
    """Yield the images of VOC annotations, sorted by file name.

    Args:
        path: An XML file, or a folder of them.
        folder: Where the images lie.
        account: Told of what goes in and what is left out.
        origin: The number of the first pixel: 0, or 1 as in the original VOC.
        skip_difficult: Whether objects marked as difficult are left out.
        skip_truncated: Whether objects marked as truncated are left out.

    Raises:
        SourceError: If there is no XML file.
    """
    files = sorted(path.rglob("*.xml")) if path.is_dir() else [path]
    if not files:
        raise SourceError(f"{path}: a folder without .xml files; name the folder of annotations")
    skipped = [name for name, skips in (("difficult", skip_difficult), ("truncated", skip_truncated)) if skips]
    lowest, num_boxes = float("inf"), 0
    for file in files:
        root = _parse(file, account)
        if root is not None:
            image = _read_file(root, file, folder, account, origin=origin, skipped=skipped)
            sides = [side for box in image.boxes if box.is_box for side in box.corners[:2]]
            lowest, num_boxes = min([lowest, *sides]), num_boxes + len(sides) // 2
            yield image
    if origin == 0 and lowest == 1 and num_boxes >= _FEWEST_BOXES:
        account.remark("no box begins at 0, some at 1; add --origin 1 if pixels are counted from 1", str(path))


def _parse(file: Path, account: ImportAccount) -> Element | None:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError(f"larger than {_MOST_BYTES >> 20} MiB")
        root: Element = fromstring(file.read_bytes(), forbid_dtd=True)
    except DefusedXmlException as error:
        reason = f"refused: {type(error).__name__}, which annotations never need"
    except (ParseError, ValueError, LookupError) as error:
        reason = str(error)
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error.strerror or error}); check the path") from error
    else:
        if root.tag == "annotation":
            return root
        reason = f"the root is <{root.tag[:40]}>, not <annotation>"
    account.note_damage("file that is no VOC annotation", f"{file}: {reason}")
    account.images_left_out["annotation file not read"] += 1
    account.images_in += 1
    return None


def _read_file(
    root: Element, file: Path, folder: ImageFolder, account: ImportAccount, *, origin: int, skipped: list[str]
) -> AnnotatedImage:
    named = (root.findtext("filename") or "").strip()
    found = _find_image(named, file, folder)
    if found is None:
        account.note_damage("no image file", f"{file}: {named or 'no filename'}")
    elif found != named:
        account.remark("image found under another name", f"{file}: {named or 'no filename'} is {found}")
    boxes, has_more = [], False
    for element in root.iter("object"):
        has_more = True
        account.annotations_in += 1
        marks = [name for name in skipped if (element.findtext(name) or "").strip() == "1"]
        bounds = element.find("bndbox")
        if marks:
            account.leave_out(f"{marks[0]} (--skip-{marks[0]})")
        elif bounds is None:
            account.leave_out("no box")
        else:
            label = (element.findtext("name") or "").strip() or None
            boxes.append(LabelledBox(label, _corners(bounds, origin)))
    return AnnotatedImage(
        place=str(file), path=found or named or None, boxes=boxes, has_more=has_more,
        width=size_of(_number(root.findtext("size/width"))), height=size_of(_number(root.findtext("size/height"))),
    )  # fmt: skip


def _find_image(named: str, file: Path, folder: ImageFolder) -> str | None:
    """Return the image that a file names, or that bears the file's own name."""
    found = folder.find(named) if named else None
    own = (f"{file.stem}{suffix}" for suffix in sorted(IMAGE_SUFFIXES))
    return found or next((path for path in map(folder.find, own) if path is not None), None)


def _corners(bounds: Element, origin: int) -> list[Any]:
    """Return the corners, counted from 0 and with the far ones behind the last pixel."""
    sides = [_number(bounds.findtext(side)) for side in _SIDES]
    if not all(map(is_number, sides)):
        return sides
    return [tidy(side - origin) for side in sides[:2]] + [tidy(side) for side in sides[2:]]


def _number(text: str | None) -> Any:
    """Return the number in a text; the text itself where it holds none."""
    try:
        value = float((text or "").strip())
    except ValueError:
        return text
    return value if is_number(value) else text
