"""Defects of boxes, spaces and referring texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.mutators.base import (
    Desk,
    Line,
    Plant,
    Row,
    change_boxes,
    change_objects,
    get_objects,
    of_files,
    of_rows,
    set_objects,
    size_of,
)
from benchmarks.mutators.pictures import encode, open_rgb, with_orientation

ALONG = "G402 G403 G404 G411-G421"

Box = list[float]


def _boxes(row: Row, desk: Desk, change: Callable[[Box, int, int], Box], **fields: Any) -> Row:
    """Return the row with every box changed, given the size of its image."""
    objects = []
    for entry in get_objects(row):
        width, height = size_of(desk, row["images"][entry["image"]])
        objects.append(entry | {"bbox": change(entry["bbox"], width, height)} | fields)
    return set_objects(row, objects)


def _whole(rows: list[Row], change: Callable[[Row], Row]) -> Plant:
    return Plant(train=[change(row) for row in rows], clean=list(rows))


@of_rows("bbox-type-norm1", "G401", seeds="norm_1", level=2)
def type_norm1(row: Row, desk: Desk) -> Line:
    """'norm1' where 'norm_1' is meant: the reference takes it as no type and prints the numbers as they are."""
    return change_objects(row, bbox_type="norm1")


@of_rows("bbox-type-pixel", "G401", seeds="box", level=2)
def type_pixel(row: Row, desk: Desk) -> Line:
    """A word of another tool."""
    return change_objects(row, bbox_type="pixel")


@of_rows("bbox-type-missing", "G407 G401", seeds="box", level=2)
def type_missing(row: Row, desk: Desk) -> Line:
    """Nobody says what the numbers mean."""
    objects = get_objects(row)
    for entry in objects:
        del entry["bbox_type"]
    return set_objects(row, objects)


@of_rows("bbox-of-three", "G407", seeds="box", level=2)
def three(row: Row, desk: Desk) -> Line:
    """A number of the box is missing."""
    return change_boxes(row, lambda box: box[:3])


@of_rows("bbox-of-five", "G407", seeds="box", level=2)
def five(row: Row, desk: Desk) -> Line:
    """A score was appended to the box."""
    return change_boxes(row, lambda box: [*box, 0.98])


@of_rows("bbox-is-text", "G407", seeds="box", level=2)
def as_text(row: Row, desk: Desk) -> Line:
    """The box is a text that looks like a list."""
    return change_boxes(row, str)


@of_rows("bbox-of-texts", "G407", seeds="box", level=2)
def of_texts(row: Row, desk: Desk) -> Line:
    """The numbers of the box are texts."""
    return change_boxes(row, lambda box: [str(number) for number in box])


@of_rows("bbox-is-a-polygon", "G407", seeds="box", level=2)
def polygon(row: Row, desk: Desk) -> Line:
    """Four corners of eight numbers where a box is meant."""
    return change_boxes(row, lambda b: [b[0], b[1], b[2], b[1], b[2], b[3], b[0], b[3]])


@of_rows("bbox-empty", "G407", seeds="box", level=2)
def empty(row: Row, desk: Desk) -> Line:
    """A box without numbers."""
    return change_boxes(row, lambda box: [])


@of_rows("bbox-misspelled", "G407 S103", seeds="box", level=2, also="S103")
def misspelled(row: Row, desk: Desk) -> Line:
    """'box' where 'bbox' is meant."""
    return set_objects(row, [{"box" if k == "bbox" else k: v for k, v in e.items()} for e in get_objects(row)])


@of_rows("box-beyond-the-right", "G402", seeds="box", level=2, also=ALONG)
def beyond(row: Row, desk: Desk) -> Line:
    """A box that leaves the picture: the image was replaced by a smaller one."""
    return _boxes(row, desk, lambda b, w, h: [b[0], b[1], w + 40, b[3]])


@of_rows("box-with-negative-corner", "G402", seeds="box", level=2, also=ALONG)
def negative(row: Row, desk: Desk) -> Line:
    """A box that begins outside the picture."""
    return change_boxes(row, lambda b: [-12, b[1], b[2], b[3]])


@of_rows("box-beyond-1000", "G402", seeds="norm_1000", level=2, also=ALONG)
def beyond_1000(row: Row, desk: Desk) -> Line:
    """A box in thousandths beyond 1000."""
    return change_boxes(row, lambda b: [b[0], b[1], 1210, b[3]])


@of_rows("box-without-width", "G404", seeds="box", level=2)
def no_width(row: Row, desk: Desk) -> Line:
    """A click where a box was to be drawn."""
    return change_boxes(row, lambda b: [b[0], b[1], b[0], b[3]])


@of_rows("corners-swapped-in-x", "G403", seeds="box", level=2)
def swapped_x(row: Row, desk: Desk) -> Line:
    """Drawn from right to left."""
    return change_boxes(row, lambda b: [b[2], b[1], b[0], b[3]])


@of_rows("corners-swapped", "G403", seeds="box", level=2)
def swapped(row: Row, desk: Desk) -> Line:
    """Bottom right corner first."""
    return change_boxes(row, lambda b: [b[2], b[3], b[0], b[1]])


@of_rows("norm-1-called-real", "G411 G412-G415 G419-G421 G417 G404", seeds="norm_1", level=2, also=ALONG)
def norm_1_as_real(row: Row, desk: Desk) -> Line:
    """Shares of the picture called pixels: every box becomes a point at the corner."""
    return change_objects(row, bbox_type="real")


@of_rows("norm-1-called-norm-1000", "G411 G412-G415 G419-G421 G417 G404", seeds="norm_1", level=2, also=ALONG)
def norm_1_as_1000(row: Row, desk: Desk) -> Line:
    """Shares of the picture called thousandths."""
    return change_objects(row, bbox_type="norm_1000")


@of_rows("real-called-norm-1", "G402", seeds="box", level=2, also=ALONG)
def real_as_norm_1(row: Row, desk: Desk) -> Line:
    """Pixels called shares of the picture."""
    return change_objects(row, bbox_type="norm_1")


@of_rows("norm-1000-called-norm-1", "G402", seeds="norm_1000", level=2, also=ALONG)
def norm_1000_as_1(row: Row, desk: Desk) -> Line:
    """Thousandths called shares of the picture."""
    return change_objects(row, bbox_type="norm_1")


@of_rows("normalised-twice", "G411 G412-G415 G419-G421 G417 G404", seeds="norm_1", level=2, also=ALONG)
def twice(row: Row, desk: Desk) -> Line:
    """Divided by the size twice: all boxes lie in the first pixel."""
    return _boxes(row, desk, lambda b, w, h: [b[0] / w, b[1] / h, b[2] / w, b[3] / h])


@of_files("file-xywh", "G413", seeds="many_boxes", level=2, also=ALONG)
def file_xywh(rows: list[Row], desk: Desk) -> Plant:
    """COCO's x, y, width, height taken for corners, all over a file."""
    return _whole(rows, lambda row: change_boxes(row, lambda b: [b[0], b[1], b[2] - b[0], b[3] - b[1]]))


@of_files("file-yx-order", "G414", seeds="many_boxes", level=2, also=ALONG)
def file_yx(rows: list[Row], desk: Desk) -> Plant:
    """Rows before columns, as some models write boxes, all over a file."""
    return _whole(rows, lambda row: change_boxes(row, lambda b: [b[1], b[0], b[3], b[2]]))


@of_files("file-norm-1000-called-real", "G412", seeds="many_norm_1000", level=2, also=ALONG)
def file_1000_as_real(rows: list[Row], desk: Desk) -> Plant:
    """Thousandths called pixels, all over a file."""
    return _whole(rows, lambda row: change_objects(row, bbox_type="real"))


@of_files("file-real-called-norm-1000", "G412", seeds="many_boxes", level=2, also=ALONG)
def file_real_as_1000(rows: list[Row], desk: Desk) -> Plant:
    """Pixels called thousandths, all over a file: most are below 1000 and nothing crashes."""
    return _whole(rows, lambda row: change_objects(row, bbox_type="norm_1000"))


@of_files("file-norm-1-called-real", "G412", seeds="many_norm_1", level=2, also=ALONG)
def file_1_as_real(rows: list[Row], desk: Desk) -> Plant:
    """Shares called pixels, all over a file."""
    return _whole(rows, lambda row: change_objects(row, bbox_type="real"))


@of_files("file-normalised-twice", "G411 G412", seeds="many_norm_1", level=2, also=ALONG)
def file_twice(rows: list[Row], desk: Desk) -> Plant:
    """Normalised by the author, and by the converter again."""
    return _whole(rows, lambda row: change_boxes(row, lambda b: [round(number / 1000, 6) for number in b]))


@of_files("file-of-999ths", "G419", seeds="many_norm_1000", level=2, also=ALONG)
def file_999(rows: list[Row], desk: Desk) -> Plant:
    """Scaled to 999 where the type says 1000."""

    def change(row: Row) -> Row:
        return _boxes(row, desk, lambda b, w, h: [int(number / 1000 * 999) for number in b])

    return _whole(rows, change)


@of_files("file-of-centres", "G413 G412", seeds="many_boxes", level=2, also=ALONG)
def file_centres(rows: list[Row], desk: Desk) -> Plant:
    """YOLO's centre, width and height taken for corners."""
    return _whole(
        rows,
        lambda row: change_boxes(row, lambda b: [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]]),
    )


@of_files("file-drawn-upright", "G415", seeds="many_boxes", level=2, also=ALONG + " M308 G410")
def file_upright(rows: list[Row], desk: Desk) -> Plant:
    """Boxes drawn on the upright picture, while the stored pixels lie on their side."""
    turned: dict[str, str] = {}

    def change(row: Row) -> Row:
        path = row["images"][0]
        if path not in turned:
            desk.index = len(turned)
            turned[path] = desk.put(".jpg", with_orientation(desk.read(path), 6))
        # Orientation 6: the stored picture is turned clockwise for viewing; x' = height - y, y' = x.
        moved = _boxes(row, desk, lambda b, w, h: [h - b[3], b[0], h - b[1], b[2]])
        return moved | {"images": [turned[path]]}

    return _whole(rows, change)


@of_files("some-rows-in-another-space", "G420 G421", seeds="many_boxes", level=2, also=ALONG)
def some_rows(rows: list[Row], desk: Desk) -> Plant:
    """One source of a merged file is in thousandths and calls them pixels."""
    lines: list[Line] = list(rows)
    targets = []
    for index in range(0, len(rows), 10):
        lines[index] = _boxes(
            rows[index], desk, lambda b, w, h: [b[0] * 1000 / w, b[1] * 1000 / h, b[2] * 1000 / w, b[3] * 1000 / h]
        )
        targets.append(index)
    return Plant(train=lines, clean=list(rows), targets=None)


@of_files("few-rows-xywh", "G413", seeds="many_boxes", level=2, also=ALONG)
def few_xywh(rows: list[Row], desk: Desk) -> Plant:
    """A file of forty rows in x, y, width, height."""
    return _whole(rows[:40], lambda row: change_boxes(row, lambda b: [b[0], b[1], b[2] - b[0], b[3] - b[1]]))


@of_files("few-rows-yx-order", "G414", seeds="many_boxes", level=2, also=ALONG)
def few_yx(rows: list[Row], desk: Desk) -> Plant:
    """A file of forty rows with rows before columns."""
    return _whole(rows[:40], lambda row: change_boxes(row, lambda b: [b[1], b[0], b[3], b[2]]))


@of_files("few-rows-norm-1000-called-real", "G412", seeds="many_norm_1000", level=2, also=ALONG)
def few_1000(rows: list[Row], desk: Desk) -> Plant:
    """A file of forty rows in thousandths called pixels."""
    return _whole(rows[:40], lambda row: change_objects(row, bbox_type="real"))


@of_files("one-folder-in-another-space", "G412 G413 G420 G421", seeds="many_boxes", level=2, also=ALONG)
def one_folder(rows: list[Row], desk: Desk) -> Plant:
    """The pictures of one folder came from another tool, which wrote thousandths."""
    folders = Counter(row["images"][0].rpartition("/")[0] for row in rows)
    (_, _), (minor, _) = folders.most_common(2)

    def change(row: Row) -> Row:
        if row["images"][0].rpartition("/")[0] != minor:
            return row
        return _boxes(row, desk, lambda b, w, h: [round(v * 1000 / (w, h)[i % 2]) for i, v in enumerate(b)])

    return _whole(rows, change)


@of_rows("image-index-too-big", "G405", seeds="box", level=2)
def index_big(row: Row, desk: Desk) -> Line:
    """Images counted from one."""
    return change_objects(row, image=1)


@of_rows("image-index-negative", "G405 G407", seeds="box", level=2)
def index_negative(row: Row, desk: Desk) -> Line:
    """An index of -1, which Python takes as the last."""
    return change_objects(row, image=-1)


@of_rows("image-index-missing", "G407 G405", seeds="box", level=2)
def index_missing(row: Row, desk: Desk) -> Line:
    """No index of the image."""
    objects = get_objects(row)
    for entry in objects:
        del entry["image"]
    return set_objects(row, objects)


@of_rows("placeholder-too-many", "G406", seeds="objects", level=1)
def placeholder_many(row: Row, desk: Desk) -> Line:
    """More <bbox> than objects."""
    return row | {"response": row["response"] + " <bbox>"}


@of_rows("placeholder-too-few", "G406", seeds="objects", level=1)
def placeholder_few(row: Row, desk: Desk) -> Line:
    """An object that no <bbox> takes: every later box goes to the wrong name."""
    return row | {"response": row["response"].replace("<bbox>", "", 1)}


@of_rows("objects-without-placeholders", "G406", seeds="box", level=1, also="G409")
def no_placeholders(row: Row, desk: Desk) -> Line:
    """Objects that the text never mentions."""
    return row | {"query": "Where is it?", "response": "On the left."}


@of_rows("placeholders-without-objects", "G406", seeds="box", level=1)
def no_objects(row: Row, desk: Desk) -> Line:
    """The objects were lost: the model learns to write <bbox>."""
    del row["objects"]
    return row


@of_rows("objects-without-image", "G408", seeds="box", level=1, also="G405 T201")
def without_image(row: Row, desk: Desk) -> Line:
    """Boxes, and no image."""
    return {key: value for key, value in row.items() if key != "images"}


@of_rows("caption-empty", "G409 G422", seeds="box", level=1)
def caption_empty(row: Row, desk: Desk) -> Line:
    """A referring text that refers to nothing."""
    return change_objects(row, caption="")


@of_rows("caption-only-spaces", "G409 G422", seeds="box", level=1)
def caption_spaces(row: Row, desk: Desk) -> Line:
    """A referring text of white space."""
    return change_objects(row, caption="  ")


@of_rows("caption-missing", "G409", seeds="box", level=1)
def caption_missing(row: Row, desk: Desk) -> Line:
    """No referring text where <ref-object> wants one."""
    objects = get_objects(row)
    for entry in objects:
        del entry["caption"]
    return set_objects(row, objects)


@of_rows("caption-is-a-number", "G407 G409", seeds="box", level=1)
def caption_number(row: Row, desk: Desk) -> Line:
    """A class id in place of a name."""
    return change_objects(row, caption=17)


@of_rows("same-caption-twice", "G418", seeds="box", level=2)
def same_caption(row: Row, desk: Desk) -> Line:
    """One referring text for two different boxes: no model can know which one is meant."""
    (entry,) = get_objects(row)
    box = entry["bbox"]
    width, height = size_of(desk, row["images"][0])
    other = (
        [0, 0, max(4, box[0] // 2), max(4, box[1] // 2)] if box[0] > 40 else [width - 30, height - 30, width, height]
    )
    row |= {"query": "Find <ref-object> and <ref-object>", "response": "<bbox> <bbox>"}
    return set_objects(row, [entry, entry | {"bbox": other}])


@of_rows("nearly-the-same-box-twice", "G416", also="G418", seeds="box", level=2)
def same_box(row: Row, desk: Desk) -> Line:
    """Two annotators drew the same box."""
    (entry,) = get_objects(row)
    box = entry["bbox"]
    row |= {"query": "Find <ref-object> and <ref-object>", "response": "<bbox> <bbox>"}
    return set_objects(row, [entry, entry | {"bbox": [box[0], box[1], box[2], box[3] - 1]}])


@of_rows("box-vanishes", "G417", seeds="box", level=2)
def vanishes(row: Row, desk: Desk) -> Line:
    """A box of two pixels in a photo of ten megapixels: nothing of it is left for the model to see."""
    image = open_rgb(desk.read(row["images"][0])).resize((3840, 2880))
    row["images"] = [desk.put(".jpg", encode(image, "JPEG"))]
    return change_objects(row, bbox=[1900, 1400, 1902, 1402])
