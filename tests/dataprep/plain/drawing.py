"""Rows drawn from a seed, most of them sound, the others with whatever rules speak about."""

from __future__ import annotations

import json
import random
from typing import Any

from dataprep.tags import BBOX, IMAGE, REF_OBJECT

SIZES = {"a.jpg": (640, 480), "b.png": (1200, 300), "c.webp": (90, 90)}
PIECES = (
    "word", " ", "\n", '"', '":', '" :', "\\", "\\u003c", "é", "中", "\U0001f600", "<", "< ", "<3", "</", "<image>",
    "<Image>", "<img>a.jpg</img>", "<video>", "<bbox>", "<ref-object>", "<ref>", "</ref>", "<box>", "<|im_end|>",
    "</s>", "<IMG_CONTEXT>", "<div>", "{", "}", "[", "]", ",", "}\n{", "a.jpg", "\t", "\x7f", "\u2028", "\u202e",
)  # fmt: skip

NAMES = (
    *SIZES,
    "alpha.png",
    "grey.png",
    "long.png",
    "png.jpg",
    "turned.jpg",
    "damaged.jpg",
    "missing.jpg",
    "",
    " ",
    "a.jpg,b.png",
    "../x",
)


class Draw:
    """Draws rows, most of them sound."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def text(self, lead: str = "") -> str:
        words = [
            self.random.choice(("What", "is", "there", "red", "2 < 3", "x")) for _ in range(self.random.randint(1, 5))
        ]
        if self.often(0.1):
            words.insert(self.random.randint(0, len(words)), self.random.choice(PIECES))
        return lead + " ".join(words)

    def box(self, bbox_type: str) -> list[float]:
        full = {"real": 90, "norm_1": 1, "norm_1000": 1000}[bbox_type]
        low, high = self.random.uniform(0, 0.4) * full, self.random.uniform(0.5, 1) * full
        box = [low, low / 2, high, high]
        if self.often(0.1):
            box[self.random.randint(0, 3)] = self.random.choice((0, -1, 1, 2000, low, 1e300))
        return [round(number, 3) for number in box] if bbox_type == "norm_1" else [int(number) for number in box]

    def objects(self, count: int, num_images: int) -> Any:
        entries = []
        for number in range(count):
            bbox_type = self.random.choice(("real", "norm_1", "norm_1000"))
            entry: dict[str, Any] = {
                "caption": f"thing {number if self.often(0.9) else 0}",
                "bbox": self.box(bbox_type),
            }
            entry |= {
                "bbox_type": bbox_type,
                "image": self.random.randrange(num_images) if self.often(0.95) else num_images,
            }
            if self.often(0.05):
                entry["caption"] = self.random.choice((None, "", " ", "Thing 0 ", "<image>"))
            if self.often(0.05):
                del entry[self.random.choice(list(entry))]
            entries.append(entry)
        return json.dumps(entries) if self.often(0.2) else entries

    def sizes(self, images: list[str]) -> dict[str, Any]:
        """Width and height, mostly those of the images."""
        known = [SIZES.get(name, (50, 40)) for name in images]
        declared: dict[str, Any] = {"width": [size[0] for size in known], "height": [size[1] for size in known]}
        if len(images) == 1 and self.often(0.7):
            declared = {name: values[0] for name, values in declared.items()}
        if self.often(0.2):
            odd = (None, 0, -1, 640, 640.0, 480.5, "640", True, [640], [640, 480], [], [None], 1 << 40)
            declared[self.random.choice(("width", "height"))] = self.random.choice(odd)
        if self.often(0.05):
            del declared[self.random.choice(("width", "height"))]
        if self.often(0.3):
            declared |= {f"{name}_list": value for name, value in declared.items()}
        if self.often(0.2):
            declared = {name: value for name, value in declared.items() if name.endswith("_list")}
        return declared

    def row(self) -> dict[str, Any]:
        images = [
            self.random.choice(NAMES if self.often(0.15) else ("a.jpg", "b.png", "c.webp"))
            for _ in range(self.random.choice((0, 1, 1, 2)))
        ]
        row_format = self.random.choice(("native", "alpaca", "messages", "conversations"))
        num_turns = self.random.choice((1, 1, 2))
        queries = [self.text() for _ in range(num_turns)]
        answers = [self.text() for _ in range(num_turns)]
        queries[0] = IMAGE * (len(images) - self.often(0.05)) + queries[0]
        row: dict[str, Any] = {}
        if images or self.often(0.2):
            row["images"] = images[0] if len(images) == 1 and self.often(0.2) else images
        if images and self.often(0.5):
            count = self.random.randint(1, 3)
            queries[-1] += REF_OBJECT * count
            answers[-1] += BBOX * (count - self.often(0.05))
            row["objects"] = self.objects(count, len(images))
        elif self.often(0.1):
            row["objects"] = self.random.choice(([], None, "", "[]", "null"))
        if self.often(0.3):
            row |= self.sizes(images)
        if self.often(0.2):
            row["system"] = self.random.choice((None, "", "You help.", self.text()))
        if self.often(0.1):
            row[self.random.choice(("id", "source", "image_size", "imags", "tools", "videos", "k\\"))] = (
                self.random.choice((None, 1, "x", [], [1], {"a": 1}, 1.5, ["v.mp4"]))
            )
        return row | self.turns(row_format, queries, answers)

    def turns(self, row_format: str, queries: list[str], answers: list[str]) -> dict[str, Any]:
        if self.often(0.05):
            answers[self.random.randrange(len(answers))] = self.random.choice(("", " ", "\n"))
        if self.often(0.05):
            queries[-1] = ""
        if row_format in ("native", "alpaca"):
            history = [list(pair) for pair in zip(queries[:-1], answers[:-1], strict=True)]
            names = ("query", "response") if row_format == "native" else ("instruction", "output")
            row: dict[str, Any] = {names[0]: queries[-1], names[1]: answers[-1]}
            if history or self.often(0.2):
                row["history"] = history or None
            if row_format == "alpaca" and self.often(0.5):
                row["input"] = self.random.choice(("", None, self.text()))
            return row
        keys = ("role", "content") if row_format == "messages" else ("from", "value")
        names = ("user", "assistant") if row_format == "messages" else ("human", "gpt")
        entries = [
            {keys[0]: name, keys[1]: text}
            for pair in zip(queries, answers, strict=True)
            for name, text in zip(names, pair, strict=True)
        ]
        if self.often(0.2):
            entries.insert(0, {keys[0]: "system", keys[1]: self.text()})
        if self.often(0.05):
            entries.pop(self.random.randrange(len(entries)))
        return {row_format: entries}

    def line(self) -> bytes:
        row = self.row()
        text = json.dumps(row, ensure_ascii=self.often(0.3), separators=(",", ":") if self.often(0.3) else None)
        data = text.encode("utf-8", "surrogatepass")
        if self.often(0.08):
            at = self.random.randrange(len(data))
            new = self.random.choice(
                (b"", b"x", b'"', b"<", b" ", b"\n", b"\xff", b"\\", b'"query":"again",', b"NaN", b"\r", b"}{", b" :")
            )
            data = data[:at] + new + data[at + self.random.randint(0, 1) :]
        if self.often(0.03):
            data = data.replace(b'":', b'" :', 1)
        if self.often(0.03):
            data = b'{"response":"twice",' + data[1:]
        return data
