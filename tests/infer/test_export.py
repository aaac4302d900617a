"""A folder in the other layout holds the same model; there and back it is the same to the bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import InternVLForConditionalGeneration
from typer.testing import CliRunner

from infer.checkpoint_files import CheckpointFiles
from infer.cli import export_command
from infer.errors import ModelError
from infer.export import export_model
from infer.model import ModelOptions, load_model

CONTEXT_ID = 300
CPU = ModelOptions(device="cpu", dtype="float32")
NAMES = ("internvl-chat-v1_5", "internvl2-1b", "internvl2-4b", "internvl2-8b", "internvl2-40b")


@pytest.fixture(params=NAMES)
def folder(request: pytest.FixtureRequest, fixtures: Path, tmp_path: Path) -> Path:
    """A tiny checkpoint in the original layout, with the tokenizer file that says the id of the context token."""
    target = tmp_path / "original"
    shutil.copytree(fixtures / "checkpoints" / request.param, target)
    (target / "expected.safetensors").rename(tmp_path / "expected.safetensors")
    (target / "added_tokens.json").write_text(json.dumps({"<IMG_CONTEXT>": CONTEXT_ID}))
    return target


def test_plain_transformers_opens_the_native_folder_and_computes_the_same(folder: Path, tmp_path: Path) -> None:
    export_model(folder, tmp_path / "native", "native")
    want = load_file(tmp_path / "expected.safetensors")
    loaded, info = InternVLForConditionalGeneration.from_pretrained(
        tmp_path / "native", dtype=torch.float32, output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    with torch.no_grad():
        logits = loaded(input_ids=want["long_input_ids"], pixel_values=want["pixel_values"]).logits
    assert torch.allclose(logits, want["long_logits"], atol=1e-4, rtol=0)
    assert json.loads((tmp_path / "native" / "added_tokens.json").read_text()) == {"<IMG_CONTEXT>": CONTEXT_ID}


def test_a_model_that_was_saved_goes_back_to_the_original_layout(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder, CPU)
    with torch.no_grad():
        model.lm_head.weight.mul_(2)
    model.save_pretrained(tmp_path / "trained")
    export_model(tmp_path / "trained", tmp_path / "back", "original", like=folder)
    before, after = CheckpointFiles(folder), CheckpointFiles(tmp_path / "back")
    assert before.names() == after.names()
    changed = {name for name in before.names() if not torch.equal(before.read(name), after.read(name))}
    assert len(changed) == 1
    (head,) = changed
    assert torch.equal(after.read(head), 2 * before.read(head))
    assert json.loads((tmp_path / "back" / "config.json").read_text()) == json.loads(
        (folder / "config.json").read_text()
    )
    again = load_model(tmp_path / "back", CPU)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize("folder", ["internvl2-8b"], indirect=True)
def test_another_type_is_written_and_said(folder: Path, tmp_path: Path) -> None:
    for layout, key in (("native", "dtype"), ("original", "torch_dtype")):
        out = tmp_path / f"{layout}-half"
        export_model(folder, out, layout, dtype=torch.bfloat16)
        files = CheckpointFiles(out)
        assert {files.read(name).dtype for name in files.names()} == {torch.bfloat16}
        assert json.loads((out / "config.json").read_text())[key] == "bfloat16"


@pytest.mark.parametrize("folder", ["internvl2-8b"], indirect=True)
def test_folders_that_do_not_belong_together_are_refused(folder: Path, fixtures: Path, tmp_path: Path) -> None:
    export_model(folder, tmp_path / "native", "native")
    with pytest.raises(ModelError, match="is not in the original layout; name the model's original folder with --like"):
        export_model(tmp_path / "native", tmp_path / "out", "original")
    with pytest.raises(ModelError, match="holds something else"):
        export_model(folder, tmp_path / "native", "native")
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    config = json.loads((other / "config.json").read_text())
    config["llm_config"]["num_hidden_layers"] = 3
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"text_config\.num_hidden_layers is 2, not 3"):
        export_model(tmp_path / "native", tmp_path / "out", "original", like=other)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["internvl2-8b"], indirect=True)
def test_the_command(folder: Path, tmp_path: Path) -> None:
    import typer

    app = typer.Typer()
    app.command()(export_command)
    done = CliRunner().invoke(app, [str(folder), "--out", str(tmp_path / "native"), "--layout", "native"])
    assert (done.exit_code, done.output) == (0, f"written: {tmp_path / 'native'}\n")
    assert (tmp_path / "native" / "model.safetensors").is_file()
