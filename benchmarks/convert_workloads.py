"""Data sets and tokenizer for the benchmark of convert: real words as often as they really come, drawn from a seed.

Words are those of Python's own sources, drawn by their frequency there, so that few come often and most come rarely.
Between them stand numbers, names that occur once, punctuation and, in one row of eight, Chinese. No text comes twice.
"""

from __future__ import annotations

import io
import json
import random
import re
import sysconfig
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from dataprep.templates import CONTENT_TOKENS

NUM_SHARED_IMAGES = 1_000
"""Images among which grounding rows choose."""
_VOCABULARY = 32_000
_TRAINING_BYTES = 12 << 20
_CHINESE_TEXTS = 500
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", *CONTENT_TOKENS)
# The pre-tokenizer of Qwen2, which the smaller InternVL2 models use.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SIZES_PX = ((640, 480), (480, 640), (800, 600), (600, 800))  # 13 tiles each
_JPEG_BYTES = 160_000  # the mean of COCO's photographs
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MARKS = (",", ",", ",", ".", ".", ";", ":", "?", "!", " -", "'s")
_CHINESE = [chr(code) for code in range(0x4E00, 0x4E00 + 3_000)]


class TextSource:
    """Draws texts."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        counts = word_counts()
        self._words = list(counts)
        self._weights = list(accumulate(counts.values()))
        self._chinese_weights = list(accumulate(1 / rank for rank in range(1, len(_CHINESE) + 1)))

    def words(self, count: int) -> str:
        """Return some words, as of a caption."""
        return " ".join(self.rng.choices(self._words, cum_weights=self._weights, k=count))

    def prose(self, count: int) -> str:
        """Return about ``count`` words with what stands between them."""
        rng, pieces = self.rng, []
        drawn = rng.choices(self._words, cum_weights=self._weights, k=count)
        for word, lot in zip(drawn, (rng.random() for _ in drawn), strict=True):
            if lot < 0.03:
                word = str(rng.randrange(10 ** rng.randint(1, 6)))
            elif lot < 0.05:
                word = "".join(rng.choices(_LETTERS, k=rng.randint(4, 12))).capitalize()
            elif lot < 0.17:
                word += rng.choice(_MARKS)
            pieces.append(word)
        text = " ".join(pieces)
        return f"{text[0].upper()}{text[1:]}."

    def chinese(self, count: int) -> str:
        """Return some Chinese characters in sentences."""
        drawn = self.rng.choices(_CHINESE, cum_weights=self._chinese_weights, k=count)
        return "，".join("".join(drawn[first : first + 11]) for first in range(0, count, 11)) + "。"


@cache
def word_counts() -> Counter[str]:
    """Return the words of the standard library's sources and how often each occurs; of one letter, none."""
    counts: Counter[str] = Counter()
    for text in _training_texts():
        counts.update(re.findall(r"[A-Za-z]{2,}", text))
    return counts


def text_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of a question of 15 words and an answer of 60; one of eight is Chinese."""
    source = TextSource(0)
    for number in range(count):
        if number % 8 == 7:
            yield {"query": source.chinese(25), "response": source.chinese(90)}
        else:
            yield {"query": source.prose(15), "response": source.prose(60)}


def grounding_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of one image with one to four boxes in pixels, found by what the question calls them."""
    source = TextSource(1)
    for number in range(count):
        image = number % NUM_SHARED_IMAGES
        objects = _objects(source, source.rng.randint(1, 4), *_SIZES_PX[image % len(_SIZES_PX)])
        tags = " and ".join(["<ref-object>"] * len(objects))
        yield {
            "query": f"<image>{source.prose(6)} Find {tags}.",
            "response": "<bbox>" * len(objects),
            "images": [f"images/{image}.jpg"],
            "objects": objects,
        }


def image_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of one image each, no image twice: a question, and a description of 120 words with three boxes."""
    source = TextSource(2)
    for number in range(count):
        objects = _objects(source, 3, *_SIZES_PX[number % len(_SIZES_PX)])
        described = [f"{source.prose(40)} <ref-object><bbox>" for _ in objects]
        yield {
            "query": f"<image>{source.prose(15)}",
            "response": " ".join(described),
            "images": [f"images/{number}.jpg"],
            "objects": objects,
        }


def mixed_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of text and of grounding in turn."""
    for text, grounding in zip(text_rows(count // 2), grounding_rows(count // 2), strict=True):
        yield text
        yield grounding


def _objects(source: TextSource, count: int, width: int, height: int) -> list[dict[str, Any]]:
    captions = {source.words(source.rng.randint(1, 3)) for _ in range(count)}
    return [
        {"caption": caption, "bbox": _box(source.rng, width, height), "bbox_type": "real", "image": 0}
        for caption in sorted(captions)
    ]


def _box(rng: random.Random, width: int, height: int) -> list[int]:
    left, top = rng.randrange(width // 2), rng.randrange(height // 2)
    return [left, top, left + rng.randint(20, width // 2), top + rng.randint(20, height // 2)]


def write_images(folder: Path, count: int, photographs: Path | None = None) -> float:
    """Write JPEG files of different bytes, as large as photographs are, and return their mean size in bytes.

    Args:
        folder: Where to.
        count: How many; image ``n`` has the size in pixels that rows suppose.
        photographs: Folder of JPEG files to take the pictures from; drawn ones without it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [_drawn_picture(*size) for size in _SIZES_PX]
    if photographs is not None:
        pictures = [_cropped(photographs, number) for number in range(len(_SIZES_PX) * 25)]
    total = 0
    for number in range(count):
        total += (folder / f"{number}.jpg").write_bytes(_marked(pictures[number % len(pictures)], number))
    return total / count


def _marked(jpeg: bytes, number: int) -> bytes:
    """Return a JPEG file with a comment of its own: other bytes, the same picture."""
    comment = f"picture {number}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def _drawn_picture(width: int, height: int) -> bytes:
    """Return a picture of soft shapes under noise, at the quality that gives it a photograph's number of bytes."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(width)
    soft = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)).resize((width, height), 3)
    noisy = np.asarray(soft, dtype=np.int16) + rng.integers(-30, 30, (height, width, 3), dtype=np.int16)
    picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    qualities = range(20, 95)
    nearest = bisect_left(qualities, _JPEG_BYTES, key=lambda quality: len(_save(picture, quality)))
    return _save(picture, qualities[nearest])


def _save(picture: Any, quality: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _cropped(folder: Path, number: int) -> bytes:
    """Return a photograph of a folder, fitted to the size that rows suppose of image ``number``."""
    from PIL import Image, ImageOps

    paths = sorted(folder.rglob("*.jpg"))
    for path in paths[number % len(paths) :] + paths:
        try:
            with Image.open(path) as image:
                return _save(ImageOps.fit(image.convert("RGB"), _SIZES_PX[number % len(_SIZES_PX)]), 92)
        except OSError:
            continue
    raise SystemExit(f"{folder} holds no JPEG file that can be read; name another with --photographs")


def write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows as JSON Lines and return how many there are."""
    with path.open("w", encoding="utf-8") as file:
        return sum(bool(file.write(json.dumps(row, ensure_ascii=False) + "\n")) for row in rows)


def write_model(folder: Path) -> Path:
    """Train a byte-level BPE tokenizer of 32,000 entries on texts like the rows'; return its folder."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=_VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    source = TextSource(3)
    drawn = (source.chinese(1_000) for _ in range(_CHINESE_TEXTS))
    tokenizer.train_from_iterator(chain(_training_texts(), drawn), trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in _SPECIAL])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


@cache
def _training_texts() -> Sequence[str]:
    texts, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" in path.parts or size >= _TRAINING_BYTES:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        texts.append(text)
        size += len(text)
    return texts
