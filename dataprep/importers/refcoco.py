"""RefCOCO, RefCOCO+ and RefCOCOg: phrases that refer to one object each, in the JSON forms in which they go around.

* a list of refs (``sentences``, ``ann_id``, ``image_id``), which is what the public pickle holds, with the
  ``instances.json`` that lies beside it;
* one object per phrase or per ref with its own ``bbox``, as JSON, JSON Lines or Parquet. Which of its keys hold the
  image and the phrase, and whether the box is two corners or corner and size, follows from the keys that each
  publisher uses; ``box_form`` says otherwise.

The pickle itself is never loaded: a pickle can run any code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataprep.errors import ConfigError, SourceError
from dataprep.importers.account import ImportAccount
from dataprep.importers.annotations import AnnotatedImage, LabelledBox, corners_of, is_number, size_of, tidy
from dataprep.importers.image_folder import ImageFolder
from dataprep.parsing import parse_row
from dataprep.sources import read_rows

BOX_FORMS = ("xyxy", "xywh")
_PLAIN_NAME = re.compile(r"COCO_\w+?_\d{12}")


@dataclass(frozen=True, slots=True)
class _Form:
    """Keys of one publisher's objects: those of image and phrase, and the form of ``bbox``."""

    image: str
    phrase: str
    box: str


# In this order: the first whose keys an object has.
_FORMS = (
    _Form("img_path", "expression", "xyxy"),
    _Form("image_path", "sentences", "xyxy"),
    _Form("image", "sent", "xyxy"),
    _Form("img_id", "sents", "xywh"),
    _Form("file_name", "answer", "xywh"),
)


def read_refcoco(
    path: Path,
    folder: ImageFolder,
    account: ImportAccount,
    *,
    instances: Path | None = None,
    split: str | None = None,
    box_form: str | None = None,
) -> Iterator[AnnotatedImage]:
    """Yield one image with one box per phrase, in the order of the file.

    Args:
        path: Refs as JSON, JSON Lines or Parquet.
        folder: Where the images lie.
        account: Told of what goes in and what is left out.
        instances: COCO's ``instances.json`` with the boxes of refs that hold none.
        split: Take only the refs of this split; None takes all.
        box_form: ``xyxy`` or ``xywh``, for objects of another form than the known ones.

    Raises:
        SourceError: If the file cannot be read as refs.
        ConfigError: If refs need ``instances`` or ``box_form``.
    """
    _refuse_pickle(path)
    known = _Instances(instances) if instances is not None else None
    for place, ref in _read_objects(path):
        phrases = _phrases(ref, place)
        account.annotations_in += max(1, len(phrases))
        if split is not None and ref.get("split") != split:
            account.leave_out(f"split other than {split}", max(1, len(phrases)))
        elif not phrases:
            account.leave_out("no phrase")
        else:
            yield from _read_ref(ref, phrases, place, folder, account, known, box_form)


def _refuse_pickle(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    if path.suffix in (".p", ".pkl", ".pickle") or head[:1] == b"\x80":
        raise SourceError(
            f"{path}: a Python pickle, which can run any code when it is loaded, so dataprep never loads one; if you "
            'trust it, turn it into JSON in a throw-away container without network: python -c "import json, pickle; '
            "json.dump(pickle.load(open('refs.p', 'rb'), encoding='latin1'), open('refs.json', 'w'))\", then import "
            "refs.json with --instances instances.json"
        )


def _read_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.suffix == ".parquet":
        yield from _read_parquet(path)
        return
    for raw in read_rows(str(path)):
        value, problem = parse_row(raw)
        if value is None or problem is not None:
            assert problem is not None
            raise SourceError(f"{raw.location}: {problem.detail}; refs must be a JSON array or JSON Lines of objects")
        yield str(raw.location), value


def _read_parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        # Not the pictures and polygons, which are most of such files.
        columns = [
            entry.name
            for entry in file.schema_arrow
            if entry.name not in ("raw_anns", "segmentation") and not pyarrow.types.is_struct(entry.type)
        ]
        number = 0
        for batch in file.iter_batches(batch_size=1024, columns=columns):
            for value in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", value
    except (OSError, pyarrow.ArrowException) as error:
        raise SourceError(f"{path}: no Parquet file that can be read ({str(error)[:200]})") from error


def _phrases(ref: dict[str, Any], place: str) -> list[str]:
    value: Any = next(
        (ref[name] for name in ("sentences", "expression", "sent", "sents", "answer") if ref.get(name)), []
    )
    entries: Iterable[Any] = value if isinstance(value, list) else [value]
    texts = [entry.get("sent") or entry.get("raw") if isinstance(entry, dict) else entry for entry in entries]
    if not all(isinstance(text, str | None) for text in texts):
        raise SourceError(f"{place}: phrases must be texts; is this a file of refs?")
    return [text.strip() for text in texts if text and text.strip()]


def _read_ref(
    ref: dict[str, Any],
    phrases: list[str],
    place: str,
    folder: ImageFolder,
    account: ImportAccount,
    known: _Instances | None,
    box_form: str | None,
) -> Iterator[AnnotatedImage]:
    info = known.image(ref.get("image_id")) if known is not None else _embedded_info(ref)
    corners: list[Any] | None
    if ref.get("bbox") is not None:
        corners = _corners(ref, place, box_form)
    elif known is None:
        raise ConfigError(f"{place}: a ref without bbox; give the boxes with --instances instances.json")
    else:
        corners = known.corners(ref.get("ann_id"))
    if corners is None:
        account.leave_out("annotation not in --instances", len(phrases))
        account.note_damage("annotation not in --instances", f"{place}, ann_id {ref.get('ann_id')}")
        return
    named = _image_name(ref, info, place)
    found = folder.find(named)
    if found is None:
        account.note_damage("no image file", f"{place}, {named}")
    for phrase in phrases:
        yield AnnotatedImage(
            place=place, path=found or named, boxes=[LabelledBox(phrase, corners)],
            width=size_of(info.get("width")), height=size_of(info.get("height")),
        )  # fmt: skip


def _embedded_info(ref: dict[str, Any]) -> dict[str, Any]:
    """Return what a ref says of its image: in an object of its own, given as text, or beside the rest."""
    text = ref.get("raw_image_info")
    if isinstance(text, str):
        try:
            info = json.loads(text)
        except ValueError:
            info = None
        if isinstance(info, dict):
            return info
    return {name: ref.get(name) for name in ("width", "height")}


def _corners(ref: dict[str, Any], place: str, box_form: str | None) -> list[Any]:
    form = box_form or next((form.box for form in _FORMS if form.image in ref and form.phrase in ref), None)
    if form is None:
        raise ConfigError(
            f"{place}: no known form of refs has these keys: {', '.join(sorted(ref))[:200]}; "
            "say with --box whether bbox is xyxy (two corners) or xywh (corner and size)"
        )
    box = ref["bbox"]
    if form == "xywh":
        return corners_of(box)
    is_box = isinstance(box, list) and all(map(is_number, box))
    return [tidy(value) for value in box] if is_box else box if isinstance(box, list) else [box]


def _image_name(ref: dict[str, Any], info: dict[str, Any], place: str) -> str:
    if isinstance(info.get("file_name"), str):
        return str(info["file_name"])
    for key in ("img_path", "image_path", "image", "file_name", "img_id"):
        value = ref.get(key)
        if isinstance(value, str) and value:
            return _without_ref_number(value) if key in ("file_name", "img_id") else value
    raise SourceError(f"{place}: a ref that names no image; it needs image, img_path or file_name, or --instances")


def _without_ref_number(name: str) -> str:
    """Return the name of the image of a ref: file names of refs end with a number of their own."""
    match = _PLAIN_NAME.match(name)
    if match is None:
        return name
    suffix = Path(name).suffix or ".jpg"
    return match[0] + suffix


class _Instances:
    """Boxes and images of an ``instances.json``, by number."""

    def __init__(self, path: Path) -> None:
        from dataprep.importers.coco import load_coco

        data = load_coco(path)
        self._boxes = {entry.id: entry.bbox for entry in data.annotations}
        self._images = {
            entry.id: {"file_name": entry.file_name, "width": entry.width, "height": entry.height}
            for entry in data.images
        }

    def image(self, number: Any) -> dict[str, Any]:
        """Return what is known of an image; nothing if it is not listed."""
        return self._images.get(number, {}) if isinstance(number, int | str) else {}

    def corners(self, number: Any) -> list[Any] | None:
        """Return the corners of an annotation; None if it is not listed."""
        box = self._boxes.get(number) if isinstance(number, int | str) else None
        return None if box is None else corners_of(box)
