"""Every sample gets one line; the numbers are those worked out by hand; a broken sample is counted, not lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dataprep.errors import ContractError, ShardError, ShardLedgerError
from dataprep.grounding import BoxCodec
from dataprep.shards.samples import Media
from infer.errors import SampleError
from infer.evaluate import EvalOptions, evaluate_shards, prediction_line, summarise
from infer.model import ModelOptions
from tests.factories import make_chat_sample, make_chat_shards, make_media, make_sample, make_shards, make_tiny_model

CODEC = BoxCodec()


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory, goldens: Path) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"), tokenizer_dir=goldens / "tokenizer_nobos")


def options(out: Path, **changes: object) -> EvalOptions:
    base = EvalOptions(split="val", out=out, batch_size=2, max_new_tokens=4, model=ModelOptions(device="cpu"))
    return replace(base, **changes)


def line_of(response: str, prediction: str | SampleError) -> dict[str, object]:
    return prediction_line(replace(make_sample(1), response=response), prediction, CODEC)


def test_numbers_worked_out_by_hand() -> None:
    box = "<box> [[0, 0, 999, 999]] </box>"
    lines = [
        line_of("red", "red"),
        line_of("blue", "red"),
        line_of(box, box),
        line_of(box, "<box> [[0, 0, 999, 333]] </box>"),
        line_of(box, "nowhere"),
        line_of("blue", SampleError("rows.jsonl:1", "broken")),
    ]
    report = summarise(lines)
    assert report["num_samples"] == 6
    assert report["num_errors"] == 1
    assert report["exact_match"] == pytest.approx(2 / 6)
    assert report["text"] == {"num_samples": 3, "exact_match": pytest.approx(1 / 3)}
    assert report["grounding"] == {
        "num_samples": 3,
        "mean_iou": pytest.approx((1 + 1 / 3 + 0) / 3),
        "precision_50": pytest.approx(1 / 3),
        "num_parse_failures": 1,
    }
    assert lines[5]["prediction"] is None
    assert lines[5]["error"] == "rows.jsonl:1: broken"


def test_means_over_nothing_are_null() -> None:
    assert summarise([])["exact_match"] is None
    assert summarise([])["grounding"]["mean_iou"] is None


def test_shards_that_do_not_account_for_every_row_are_refused(model_dir: Path, tmp_path: Path) -> None:
    path = make_shards(tmp_path / "lost")
    (path / "ledger.arrow").write_bytes((path / "ledger.arrow").read_bytes().replace(b"rejected", b"REJECTED"))
    with pytest.raises(ShardLedgerError, match=r"not every row is accounted for: ledger\.arrow: sha256"):
        evaluate_shards(path, model_dir, options(tmp_path / "eval"))
    assert not (tmp_path / "eval").exists()


def test_every_sample_gets_one_line_in_order(model_dir: Path, tmp_path: Path) -> None:
    broken = make_media()
    media = [make_media(), Media(broken.hash, b"broken", "b.png", 6, None, "png", 40, 30)]
    samples = [
        make_chat_sample(model_dir, 1, "<image>colour?", "red", images=[0], split="val"),
        make_chat_sample(model_dir, 2, "a much longer question than the others?", "no", split="val"),
        make_chat_sample(model_dir, 3, "<image>colour?", "blue", images=[1], split="val"),
        make_chat_sample(model_dir, 4, "<image>where?", "<box> [[1, 2, 3, 4]] </box>", images=[0], split="val"),
    ]
    shards = make_chat_shards(tmp_path / "shards", model_dir, samples, media)
    report = evaluate_shards(shards, model_dir, options(tmp_path / "out"))
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [line["source_line"] for line in lines] == [1, 2, 3, 4]
    assert [line["response"] for line in lines] == [sample.response for sample in samples]
    assert "error" in lines[2]
    assert lines[2]["error"].startswith("rows.jsonl:3: ")
    assert all(isinstance(lines[i]["prediction"], str) for i in (0, 1, 3))
    assert report["num_errors"] == 1
    assert report["grounding"]["num_samples"] == 1
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["predictions.jsonl", "report.json"]


def test_batch_size_changes_no_answer(model_dir: Path, tmp_path: Path) -> None:
    samples = [
        make_chat_sample(model_dir, n, "<image>" * (n % 2) + "w " * n, "x", images=[0] * (n % 2), split="val")
        for n in range(1, 6)
    ]
    shards = make_chat_shards(tmp_path / "shards", model_dir, samples, [make_media()])
    for size in (1, 5):
        evaluate_shards(shards, model_dir, options(tmp_path / str(size), batch_size=size))
    one, five = ((tmp_path / str(size) / "predictions.jsonl").read_text() for size in (1, 5))
    assert one == five


def test_another_tokenizer_is_an_error(model_dir: Path, tmp_path: Path) -> None:
    shards = make_shards(tmp_path / "shards")
    with pytest.raises(ContractError, match=r"tokenizer: its fingerprint is t in the shards and .* in the model"):
        evaluate_shards(shards, model_dir, options(tmp_path / "out"))


def test_an_unknown_split_lists_the_known_ones(model_dir: Path, tmp_path: Path) -> None:
    shards = make_shards(tmp_path / "shards")
    with pytest.raises(ShardError, match="train, val"):
        evaluate_shards(shards, model_dir, options(tmp_path / "out", split="test"))


def test_results_go_to_the_adapter_by_default() -> None:
    assert EvalOptions(split="val", adapter=Path("runs/a")).out_folder() == Path("runs/a/eval-val")
    assert EvalOptions(split="val").out_folder() == Path("eval-val")
