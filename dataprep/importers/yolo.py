"""YOLO: one text file per image, each line a class number and a box as centre and size in 0..1 of the image.

Pixels need the size of the image, which its header tells. A line with more than five numbers is a polygon, whose box
is taken, or ends with a confidence, which is not. Source: the label format of Ultralytics YOLO.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataprep.errors import ConfigError, MediaError, SourceError
from dataprep.importers.account import ImportAccount
from dataprep.importers.annotations import AnnotatedImage, LabelledBox, is_number, tidy
from dataprep.importers.image_folder import ImageFolder
from dataprep.records import Number

_NAMES_FILES = ("classes.txt", "obj.names", "data.yaml", "data.yml", "dataset.yaml")
_MOST_NAMES_BYTES = 4 << 20
_ROUNDING = 1e-5  # of the image: labels are written with six decimals, and an edge is the sum of two of them


def find_yolo_images(path: Path) -> Path:
    """Return the folder of images of a folder of labels: the last ``labels`` in its path becomes ``images``."""
    parts = list(path.absolute().parts)
    for index in range(len(parts) - 1, 0, -1):
        if parts[index] == "labels":
            sibling = Path(*parts[:index], "images", *parts[index + 1 :])
            return sibling if sibling.is_dir() else path
    return path


def read_class_names(path: Path | None, labels: Path) -> dict[int, str]:
    """Return the names of the classes by number.

    Args:
        path: A file with one name per line, or a YAML file with ``names``; None looks for one near the labels.
        labels: The folder of labels.

    Raises:
        ConfigError: If there is no such file, or no names in it.
    """
    if path is None:
        nearby = (folder / name for folder in (labels, *labels.absolute().parents[:2]) for name in _NAMES_FILES)
        path = next((file for file in nearby if file.is_file()), None)
        if path is None:
            raise ConfigError(f"{labels}: no names of classes near it; give --classes classes.txt or data.yaml")
    try:
        if path.stat().st_size > _MOST_NAMES_BYTES:
            raise ConfigError(f"{path}: larger than {_MOST_NAMES_BYTES >> 20} MiB, so no file of class names")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as class names ({error}); check --classes") from error
    names = _names_of_yaml(text, path) if path.suffix in (".yaml", ".yml") else dict(enumerate(_lines(text)))
    if not names:
        raise ConfigError(f"{path}: holds no names of classes; write one per line, or names: [...] in YAML")
    return names


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.rstrip().splitlines()]


def _names_of_yaml(text: str, path: Path) -> dict[int, str]:
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: no YAML ({str(error).splitlines()[0]}); check --classes") from error
    names = value.get("names") if isinstance(value, dict) else None
    pairs = names.items() if isinstance(names, dict) else enumerate(names if isinstance(names, list) else [])
    found = {int(key): str(name) for key, name in pairs if _is_plain(key) and _is_plain(name)}
    if isinstance(names, dict | list) and len(found) != len(names):
        raise ConfigError(f"{path}: names must be a list of texts, or texts by number; check --classes")
    return found


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def read_yolo(
    path: Path, folder: ImageFolder, account: ImportAccount, *, names: dict[int, str]
) -> Iterator[AnnotatedImage]:
    """Yield the images of a folder of labels, sorted; images without a file of labels have no objects.

    Args:
        path: The folder of ``.txt`` files, or one of them.
        folder: Where the images lie, in the same subfolders.
        account: Told of what goes in and what is left out.
        names: Names of the classes.

    Raises:
        SourceError: If there is neither a label nor an image.
    """
    root = path if path.is_dir() else path.parent
    files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
    labels = {
        file.relative_to(root).with_suffix("").as_posix(): file for file in files if file.name not in _NAMES_FILES
    }
    images: dict[str, str] = {}
    for image in folder.files() if path.is_dir() else ():
        stem = Path(image).with_suffix("").as_posix()
        if images.setdefault(stem, image) != image:
            account.remark("second image of the same name, left out", image)
    if not path.is_dir():
        images = {stem: image for image in folder.files() if (stem := Path(image).with_suffix("").as_posix()) in labels}
    if not labels:
        raise SourceError(f"{path}: a folder without .txt files of labels; name the folder of labels")
    for stem in sorted(labels.keys() | images.keys()):
        yield _read_file(labels.get(stem), images.get(stem), folder, account, names)


def _read_file(
    file: Path | None, image: str | None, folder: ImageFolder, account: ImportAccount, names: dict[int, str]
) -> AnnotatedImage:
    place = str(file or image)
    size = _measure(image, folder, account, place)
    boxes, has_more = [], False
    for number, line in enumerate(_read_lines(file, account), start=1):
        if not line.strip():
            continue
        account.annotations_in += 1
        has_more = True
        box = _read_line(line, names, size, account, f"{place}:{number}")
        if box is not None:
            boxes.append(box)
    width, height = size or (None, None)
    return AnnotatedImage(place=place, path=image, width=width, height=height, boxes=boxes, has_more=has_more)


def _read_lines(file: Path | None, account: ImportAccount) -> list[str]:
    if file is None:
        return []
    try:
        return file.read_bytes().decode("utf-8-sig", "replace").splitlines()
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error.strerror or error}); check the path") from error


def _measure(image: str | None, folder: ImageFolder, account: ImportAccount, place: str) -> tuple[int, int] | None:
    from dataprep.media.probe import probe_image_file

    if image is None:
        account.note_damage("no image file", place)
        return None
    try:
        header = probe_image_file(folder.folder / image)
    except MediaError as error:
        account.note_damage("image that cannot be read", f"{image}: {error.detail}")
        return None
    return header.width, header.height


def _read_line(
    line: str, names: dict[int, str], size: tuple[int, int] | None, account: ImportAccount, place: str
) -> LabelledBox | None:
    words = line.split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) < 5 or not all(map(is_number, numbers)) or numbers[0] != int(numbers[0]):
        account.leave_out("line that is no label")
        account.note_damage("line that is no label", f"{place}: {' '.join(words)[:80]}")
        return None
    unit = _unit_corners(numbers[1:], account, place)
    label = names.get(int(numbers[0]))
    if size is None:
        return LabelledBox(label, [tidy(value) for value in unit], "norm_1")
    return LabelledBox(label, [_to_pixels(value, size[index % 2]) for index, value in enumerate(unit)])


def _unit_corners(values: list[float], account: ImportAccount, place: str) -> list[float]:
    if len(values) >= 6 and len(values) % 2 == 0:
        account.remark("polygon taken as its box", place)
        return [min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])]
    if len(values) > 4:
        account.remark("number behind the box not read (a confidence)", place)
    x, y, width, height = values[:4]
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def _to_pixels(value: float, size_px: int) -> Any:
    """Return a coordinate in pixels; one that leaves the image by no more than labels are rounded is its edge."""
    if -_ROUNDING <= value < 0 or 1 < value <= 1 + _ROUNDING:
        value = float(round(value))
    pixels: Number = value * size_px
    return tidy(round(pixels, 4))
