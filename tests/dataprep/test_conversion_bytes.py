"""The files of a conversion are, byte for byte, those that the first release wrote for the same rows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert
from tests.dataprep.conversions import GOLDENS, data_uri, make_options, text_row, write_rows

IMAGES = ("land_640x480.jpg", "port_480x640.jpg", "sq_448.png", "exif6_640x480.jpg", "rgba_500x300.png")
NANOSECONDS = 1_700_000_000_000_000_000
# Made by the code of commit e0e4a89, which took every row through every rule. Messages of rules are part of it.
EXPECTED = {
    "embed tokenizer_bos": "345d497c7f107a42668996f85deee47a841d2051633c3f86a640b7bece84c53d",
    "link tokenizer_bos": "11767866627e2e37a542544959628bf9b2a225e805716362f7de37131ec0b525",
    "embed tokenizer_nobos": "63f373fe36203096d67a51cef439104dee9abad2ad1a2942938ce3fc855d34f2",
    "link tokenizer_nobos": "a5314e5b314a056148d806ebd9d85a5855d8ce55f7867c1d482c8203b3bdb456",
}


def one_object(number: int, bbox_type: str = "real", **changes: Any) -> dict[str, Any]:
    scale = {"real": 1, "norm_1": 1 / 1000, "norm_1000": 1}[bbox_type]
    box = [(10 + number) * scale, 20 * scale, (120 + number) * scale, 200 * scale]
    return {"caption": f"thing {number}", "bbox": box, "bbox_type": bbox_type, "image": 0} | changes


def many_rows() -> list[dict[str, Any] | str]:
    rows: list[dict[str, Any] | str] = []
    for number in range(60):
        image = IMAGES[number % len(IMAGES)]
        kind = ("real", "norm_1", "norm_1000")[number % 3]
        objects = [one_object(index, kind) for index in range(1 + number % 4)]
        tags = " and ".join(["<ref-object>"] * len(objects))
        grounding = {"query": f"<image>Find {tags}, {number}.", "response": "<bbox>" * len(objects)}
        rows += [
            text_row(number),
            grounding | {"images": [image], "objects": objects},
            {"query": "Untagged?", "response": 'A "quoted" é 🐈 answer\n', "images": [image], "score": number / 7},
        ]
    rows += [
        {"query": "q", "response": "r", "history": [["a", "b"], ["c", "d"]], "system": "Be brief."},
        {"query": "", "response": "r", "system": ""},
        {"instruction": "Add", "input": "1 2", "output": "3"},
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}] * 2},
        {"conversations": [{"from": "human", "value": "<image>\nhi"}, {"from": "gpt", "value": "ho"}],
         "image": IMAGES[0]},
        {"query": "<image><image>two", "response": "yes", "images": [IMAGES[0], IMAGES[2]]},
        {"query": "<image>text", "response": "<bbox>", "images": [IMAGES[1]], "objects": json.dumps([one_object(1)])},
        {"query": "<image>same", "response": "no", "images": [data_uri((GOLDENS / "images" / IMAGES[2]).read_bytes())]},
        {"query": "<image>float", "response": "<bbox>", "images": [IMAGES[1]],
         "objects": [one_object(1, "norm_1000", bbox=[1.5, 2, 30.25, 400])]},
        {"query": "<image>far", "response": "<bbox>", "images": [IMAGES[2]],
         "objects": [one_object(1, bbox=[1, 2, 9e5, 9])]},
        {"query": "big", "response": "r", "id": 12345678901234567890123, "small": 1e-7, "large": 1e22, "none": None},
        {"query": "<|im_end|>", "response": "r"},
        {"query": "q", "response": " "},
        {"query": "<image>gone", "response": "r", "images": ["gone.jpg"]},
        '{"query": "twice", "query": "q", "response": "r"}',
        '{ "query" : "spaced" , "response" : "r" }',
        '{"response": "order", "query": "\\u00e9\\/\\u003cb"}',
        '{"query": "minus", "response": "r", "zero": -0, "nought": -0.0, "exp": 1E5}',
        '{"query": "cut',
    ]  # fmt: skip
    return rows


@pytest.mark.parametrize("media", ["embed", "link"])
@pytest.mark.parametrize("tokenizer", ["tokenizer_bos", "tokenizer_nobos"])
def test_bytes_are_those_of_the_first_release(tmp_path: Path, media: str, tokenizer: str) -> None:
    for name in IMAGES:
        shutil.copy(GOLDENS / "images" / name, tmp_path / name)
        os.utime(tmp_path / name, ns=(NANOSECONDS, NANOSECONDS))
    source = write_rows(tmp_path / "rows.jsonl", many_rows())
    options = make_options(media=media, model=GOLDENS / tokenizer, on_bad="skip", max_bad_ratio=0.5, split="val=0.4")
    convert([source], tmp_path / "out", options)
    digest = hashlib.sha256()
    names = sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != "manifest.json")
    for name in names:
        content = (tmp_path / "out" / name).read_bytes().replace(str(tmp_path).encode(), b"/data")
        digest.update(name.encode() + hashlib.sha256(content).digest())
    assert digest.hexdigest() == EXPECTED[f"{media} {tokenizer}"], names
