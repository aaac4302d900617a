"""Defects of length: they need a tokenizer (level 4)."""

from __future__ import annotations

from benchmarks.mutators.base import Desk, Line, Row, of_rows

LONG = "word " * 1500
TOKENS = {"tokenizer": True}


@of_rows("text-too-long", "L601", level=4, says="text", also="L602-L606", **TOKENS)
def text_too_long(row: Row, desk: Desk) -> Line:
    """A document pasted into the query: cut off in silence elsewhere."""
    return row | {"query": row["query"] + LONG}


@of_rows("history-too-long", "L601", level=4, also="L602-L606", **TOKENS)
def history_too_long(row: Row, desk: Desk) -> Line:
    """A talk of a hundred turns."""
    return row | {"history": [[f"Question {n} of many?", "An answer of some words. " * 3] for n in range(100)]}


@of_rows("images-too-long", "L601", seeds="image", level=4, says="image", also="L602-L606 D501-D506", **TOKENS)
def images_too_long(row: Row, desk: Desk) -> Line:
    """Images alone fill the window: they count 256 tokens a tile, not four."""
    from PIL import Image

    from benchmarks.mutators.pictures import encode

    desk_path = desk.put(".jpg", encode(Image.effect_noise((1600, 1200), 50).convert("RGB"), "JPEG"))
    return row | {"images": [desk_path] * 3, "query": "<image>" * 3 + row["query"].replace("<image>", "")}


@of_rows("truncation-cuts-an-image", "L606", seeds="image", level=4, also="L601-L606 D501-D506", **TOKENS)
def cuts_image(row: Row, desk: Desk) -> Line:
    """The limit falls inside an image: a truncated row would hold half a picture."""
    from PIL import Image

    from benchmarks.mutators.pictures import encode

    path = desk.put(".jpg", encode(Image.effect_noise((1600, 1200), 50).convert("RGB"), "JPEG"))
    query = "word " * 300 + "<image>" + row["query"].replace("<image>", "")
    return row | {"images": [path, path], "query": "<image>" + query}


@of_rows("share-of-trained-tokens-tiny", "L604", level=4, **TOKENS)
def trained_share(row: Row, desk: Desk) -> Line:
    """Thousands of tokens are read to train one."""
    return row | {"query": row["query"] + " word" * 720, "response": "A"}


@of_rows("many-images-shrink-tiles", "L605", seeds="image", level=4, also="D501-D506 L601-L606", **TOKENS)
def many_images(row: Row, desk: Desk) -> Line:
    """Twenty pictures in a row share one budget of tiles."""
    from PIL import Image

    from benchmarks.mutators.pictures import encode

    path = desk.put(".jpg", encode(Image.effect_noise((1600, 1200), 50).convert("RGB"), "JPEG"))
    return row | {"images": [path] * 20, "query": "<image>" * 20 + row["query"].replace("<image>", "")}
