"""One question is encoded as conversion would, and answered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dataprep.errors import MediaError
from infer.conventions import read_conventions
from infer.errors import ModelError
from infer.model import ModelOptions
from infer.single import InferOptions, Question, answer_question
from tests.factories import make_tiny_model


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory, goldens: Path) -> InferOptions:
    folder = make_tiny_model(tmp_path_factory.mktemp("model"), tokenizer_dir=goldens / "tokenizer_nobos")
    return InferOptions(model_dir=folder, model_type="internvl2-1b", max_new_tokens=4, model=ModelOptions(device="cpu"))


def test_text_images_and_video_are_answered(options: InferOptions, goldens: Path) -> None:
    image = goldens / "images" / "tiny_32.png"
    text = answer_question(Question(query="hello"), options)
    assert text["query"] == "hello"
    assert isinstance(text["response"], str)
    tagged = answer_question(Question(query="<image>what?", images=(image,)), options)
    untagged = answer_question(Question(query="what?", images=(image,)), options)
    assert tagged["response"] == untagged["response"]
    video = answer_question(Question(query="what?", videos=(goldens / "videos" / "v8.mp4",)), options)
    assert isinstance(video["response"], str)


@pytest.mark.parametrize(
    ("question", "changes", "message"),
    [
        (Question(query="<image>?"), {}, "1 <image> tags, but 0 files were given; repeat --image"),
        (Question(query="?", images=(Path("none.png"),)), {}, r"image none\.png cannot be read: No such file"),
        (Question(query="?", videos=(Path("v.mp4"),)), {"model_type": "internvl-chat-v1_5"}, "does not read videos"),
        (Question(query="?"), {"model_type": None}, "give --model-type"),
        (
            Question(query="<image>and<image>?", images=(Path("a"), Path("b"))),
            {"model_type": "internvl-chat-v1_5"},
            "takes its images back to back",
        ),
    ],
)
def test_a_question_that_does_not_fit_is_refused(
    options: InferOptions, question: Question, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        answer_question(question, replace(options, **changes))


def test_a_broken_image_is_a_media_error(options: InferOptions, goldens: Path) -> None:
    with pytest.raises(MediaError):
        answer_question(Question(query="?", images=(goldens / "images" / "notimage.jpg",)), options)


def test_a_run_folder_brings_its_conventions(options: InferOptions, tmp_path: Path) -> None:
    assert read_conventions(tmp_path) == {}
    conventions = {
        "model_type": "internvl2-1b",
        "system": "Be brief.",
        "max_num": 1,
        "box_style": "internvl",
        "missing_image_tag": "last",
        "video_frames": 2,
        "exif": "ignore",
    }
    (tmp_path / "train_config.json").write_text(json.dumps({"shards": [conventions | {"path": "x"}]}))
    assert read_conventions(tmp_path) == conventions
    (tmp_path / "train_config.json").write_text("{}")
    with pytest.raises(ModelError, match="is not the record of a training run"):
        read_conventions(tmp_path)
