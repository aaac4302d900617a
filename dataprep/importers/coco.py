"""COCO: one JSON file with ``images``, ``annotations`` (boxes as x, y, width, height in pixels) and ``categories``.

The file is decoded into typed values without its segmentations, from a memory map: about 300 bytes of memory per
annotation and image, whatever the polygons weigh. Source: the COCO data format; conventions of pycocotools.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from dataprep.data_files import open_data_file
from dataprep.errors import SourceError
from dataprep.importers.account import ImportAccount
from dataprep.importers.annotations import AnnotatedImage, LabelledBox, corners_of, size_of
from dataprep.importers.image_folder import ImageFolder

_MASK = b'"segmentation"'
_Id = int | float | str


class _Image(msgspec.Struct, gc=False):
    id: _Id
    file_name: Any = None
    width: Any = None
    height: Any = None


class _Annotation(msgspec.Struct, gc=False):
    image_id: _Id | None = None
    category_id: _Id | None = None
    bbox: Any = None
    caption: Any = None
    iscrowd: Any = 0
    id: _Id | None = None


class _Category(msgspec.Struct, gc=False):
    id: _Id
    name: Any = None


class CocoFile(msgspec.Struct):
    """What is read of a COCO file."""

    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category] | None = None
    has_masks: bool = False


_Taken: TypeAlias = tuple[list[LabelledBox], list[str]]
_Take: TypeAlias = Callable[[Sequence[_Annotation]], _Taken]


def read_coco(
    path: Path, folder: ImageFolder, account: ImportAccount, *, task: str, keep_crowd: bool = False
) -> Iterator[AnnotatedImage]:
    """Yield the images of a COCO file, in its order; annotations of images that it does not list come last.

    Args:
        path: The JSON file; ``.gz`` and ``.zst`` are unpacked in memory.
        folder: Where the images lie.
        account: Told of what goes in and what is left out.
        task: ``caption`` takes captions, the others take boxes.
        keep_crowd: Whether boxes around crowds (``iscrowd``) are objects.

    Raises:
        SourceError: If the file is no such JSON.
    """
    data = load_coco(path)
    names = {entry.id: entry.name for entry in data.categories or [] if isinstance(entry.name, str)}
    if task == "caption":
        take: _Take = partial(_take_captions, account=account)
    else:
        take = partial(_take_boxes, account=account, names=names, keep_crowd=keep_crowd)
    by_image: dict[_Id | None, list[_Annotation]] = {}
    for annotation in data.annotations:
        by_image.setdefault(annotation.image_id, []).append(annotation)
    account.annotations_in += len(data.annotations)
    if data.has_masks and task != "caption":
        account.remark("file with segmentations, which are not read: rows hold boxes", str(path))
    data.annotations = []  # what is left of them is freed image by image
    seen: set[_Id] = set()
    for image in data.images:
        if image.id in seen:
            account.note_damage("image id that stands twice", f"image {image.id}, {image.file_name}")
            account.images_left_out["image id that stands twice"] += 1
            account.images_in += 1
            continue
        seen.add(image.id)
        named = image.file_name if isinstance(image.file_name, str) and image.file_name else None
        found = folder.find(named) if named else None
        if found is None:
            account.note_damage("no image file", f"image {image.id}, {named or 'no file_name'}")
        own = by_image.pop(image.id, [])
        boxes, captions = take(own)
        yield AnnotatedImage(
            place=f"image {image.id}", path=found or named, boxes=boxes, captions=captions, has_more=bool(own),
            width=size_of(image.width), height=size_of(image.height),
        )  # fmt: skip
    for image_id, orphans in by_image.items():
        account.note_damage("annotations of an image that is not listed", f"image {image_id}")
        boxes, captions = take(orphans)
        yield AnnotatedImage(place=f"image {image_id}", path=None, boxes=boxes, captions=captions)


def _take_captions(annotations: Sequence[_Annotation], account: ImportAccount) -> _Taken:
    captions = [a.caption.strip() for a in annotations if isinstance(a.caption, str) and a.caption.strip()]
    if len(captions) < len(annotations):
        account.leave_out("no caption", len(annotations) - len(captions))
    return [], captions


def _take_boxes(
    annotations: Sequence[_Annotation], account: ImportAccount, names: dict[_Id, str], *, keep_crowd: bool
) -> _Taken:
    boxes = []
    for annotation in annotations:
        if annotation.bbox is None or annotation.bbox == []:
            account.leave_out("no box")
        elif annotation.iscrowd and not keep_crowd:
            account.leave_out("crowd (--keep-crowd takes them)")
        else:
            label = names.get(annotation.category_id) if annotation.category_id is not None else None
            boxes.append(LabelledBox(label, corners_of(annotation.bbox)))
    return boxes, []


def load_coco(path: Path) -> CocoFile:
    """Read a COCO file.

    Raises:
        SourceError: If it cannot be read, or is no such JSON.
    """
    try:
        if path.suffix in (".gz", ".zst"):
            with open_data_file(str(path)) as stream:
                unpacked = stream.read()
            return _decode(unpacked, has_masks=_MASK in unpacked)
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as text,  # let go of before the map is closed
        ):
            return _decode(text, has_masks=mapped.find(_MASK) >= 0)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except ValueError as error:  # an empty file, which cannot be mapped, JSON that is none, or of another shape
        raise SourceError(
            f"{path}: no COCO file ({error}); it must hold one object with images, annotations and categories"
        ) from error


def _decode(text: bytes | memoryview, *, has_masks: bool) -> CocoFile:
    data = msgspec.json.decode(text, type=CocoFile)
    data.has_masks = has_masks
    return data
