"""Defects of tags and of texts that look like tokens."""

from __future__ import annotations

from benchmarks.mutators.base import Desk, Line, Row, of_rows

V1_5 = {"model_type": "internvl-chat-v1_5"}


@of_rows("one-tag-too-many", "T201", seeds="image", level=1)
def tag_too_many(row: Row, desk: Desk) -> Line:
    """More tags than images: the last tag stays as text, or the run ends."""
    return row | {"query": "<image>" + row["query"] + "<image>", "images": row["images"][:1]}


@of_rows("one-tag-too-few", "T202", seeds="two_images", level=1)
def tag_too_few(row: Row, desk: Desk) -> Line:
    """Fewer tags than images: an image goes where nobody meant it."""
    return row | {"query": row["query"].replace("<image>", "", 1)}


@of_rows("tags-without-images", "T201", seeds="image", level=1)
def tags_without_images(row: Row, desk: Desk) -> Line:
    """The list of images was lost, the tags were not."""
    del row["images"]
    return row | {"query": "<image>" + row["query"].replace("<image>", "")}


@of_rows("images-empty", "T201", seeds="image", level=1)
def images_empty(row: Row, desk: Desk) -> Line:
    """The list of images is empty, the tags are there."""
    return row | {"images": [], "query": "<image>" + row["query"].replace("<image>", "")}


@of_rows("no-tag-in-many-turns", "T202 T209 T210", seeds="image", level=1)
def no_tag_in_turns(row: Row, desk: Desk) -> Line:
    """Several turns, no tag: tools disagree about the turn that the image belongs to."""
    query = row["query"].replace("<image>", "")
    return row | {"query": "And what else?", "history": [[query, row["response"]]]}


@of_rows("inline-and-list", "T203", seeds="image", level=1, also="T201 T202")
def inline_and_list(row: Row, desk: Desk) -> Line:
    """<img>path</img> and a list of images in one row."""
    path = row["images"][0]
    return row | {"query": f"<image><img>{path}</img>What differs?"}


@of_rows("tag-in-answer", "T204", seeds="image", level=1, also="T201")
def tag_in_answer(row: Row, desk: Desk) -> Line:
    """An <image> tag in the answer."""
    return row | {"query": row["query"].replace("<image>", ""), "response": "<image>" + row["response"]}


@of_rows("inline-image-in-answer", "T204 T203", seeds="image", level=1, also="T201 T202 T203 T205")
def inline_in_answer(row: Row, desk: Desk) -> Line:
    """An image given as <img>path</img> in the answer."""
    row["response"] += f"<img>{row['images'][0]}</img>"
    return {key: value for key, value in row.items() if key != "images"} | {"query": "Show me."}


@of_rows("end-token-in-answer", "T205", level=1)
def end_token(row: Row, desk: Desk) -> Line:
    """The answer was copied with the template's end token."""
    return row | {"response": row["response"] + "<|im_end|>"}


@of_rows("turn-tokens-in-query", "T205", level=1)
def turn_tokens(row: Row, desk: Desk) -> Line:
    """The query was rendered with a template already."""
    return row | {"query": f"<|im_start|>user\n{row['query']}<|im_end|>\n<|im_start|>assistant\n"}


@of_rows("eos-of-llama", "T205", level=1)
def eos_of_llama(row: Row, desk: Desk) -> Line:
    """Answers of another model end with its </s>."""
    return row | {"response": row["response"] + "</s>"}


@of_rows("endoftext-in-answer", "T205", level=1)
def endoftext(row: Row, desk: Desk) -> Line:
    """Answers of another model end with <|endoftext|>."""
    return row | {"response": row["response"] + "<|endoftext|>"}


@of_rows("context-tokens-in-query", "T205 L602", seeds="image", level=1)
def context_tokens(row: Row, desk: Desk) -> Line:
    """The query holds <IMG_CONTEXT>, expanded by another tool."""
    return row | {"query": "<IMG_CONTEXT>" * 4 + row["query"]}


@of_rows("special-token-in-system", "T205", level=1)
def token_in_system(row: Row, desk: Desk) -> Line:
    """The system prompt was rendered already."""
    return row | {"system": "<|im_start|>system\nBe brief.<|im_end|>"}


@of_rows("img-not-closed", "T205 T203 T209 T210", seeds="image", level=1, also="T202")
def img_not_closed(row: Row, desk: Desk) -> Line:
    """An <img> without its </img>."""
    return {"query": f"<img>{row['images'][0]} What is it?", "response": row["response"]}


@of_rows("tag-in-capitals", "T209 T210 T202", seeds="image", level=1, also="T202 T209 T210")
def tag_capitals(row: Row, desk: Desk) -> Line:
    """<Image> in the wrong letter case stays as text."""
    return row | {"query": "<Image>\n" + row["query"].replace("<image>", "")}


@of_rows("tag-of-another-tool", "T209 T210 T202", seeds="image", level=1, also="T202 T205 T209 T210")
def tag_other(row: Row, desk: Desk) -> Line:
    """The placeholder of another tool, such as <|image|>."""
    return row | {"query": "<|image|>\n" + row["query"].replace("<image>", "")}


@of_rows("tag-with-number", "T209 T210 T202", seeds="image", level=1, also="T202 T209 T210")
def tag_number(row: Row, desk: Desk) -> Line:
    """Numbered tags, such as <image_1>."""
    return row | {"query": "<image_1>\n" + row["query"].replace("<image>", "")}


@of_rows("image-tag-for-video", "T201 T202", seeds="video", level=1, also="T201 T202")
def image_tag_for_video(row: Row, desk: Desk) -> Line:
    """<image> where <video> is meant."""
    return row | {"query": "<image>" + row["query"].replace("<video>", "")}


@of_rows("video-tag-too-many", "T201", seeds="video", level=1)
def video_tag_many(row: Row, desk: Desk) -> Line:
    """More <video> tags than videos."""
    return row | {"query": "<video><video>" + row["query"].replace("<video>", "")}


@of_rows("image-null", "T206", seeds="image", level=1)
def image_null(row: Row, desk: Desk) -> Line:
    """A null among the images, as a join leaves it."""
    return row | {"images": [None], "query": "<image>" + row["query"].replace("<image>", "")}


@of_rows("image-empty-text", "T206", seeds="image", level=1, also="M301")
def image_empty_text(row: Row, desk: Desk) -> Line:
    """An empty text among the images."""
    return row | {"images": [""], "query": "<image>" + row["query"].replace("<image>", "")}


@of_rows("paths-joined-by-comma", "T207", seeds="two_images", level=1)
def paths_joined(row: Row, desk: Desk) -> Line:
    """Several paths in one text, as CSV has them."""
    return row | {"images": ",".join(row["images"])}


@of_rows("text-between-images-v1_5", "T208", seeds="scenes", level=1, also="T202", **V1_5)
def text_between(row: Row, desk: Desk) -> Line:
    """A v1.5 model with text between its images: the reference deletes that text."""
    return row | {"query": "<image>is the first, <image>the second. Compare.", "images": row["images"] * 2}
