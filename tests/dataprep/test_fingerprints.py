"""What differs between shards and a model is said in words, with a command that repairs it; and the command does."""

from __future__ import annotations

import json
import pickle
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dataprep import convert
from dataprep.errors import ConfigError, ContractError
from dataprep.fingerprints import (
    PARTS,
    Contract,
    compare,
    contract_of_encoder,
    contract_of_model,
    contract_of_shards,
    describe_tokenizer,
    repair_command,
    require_options,
    require_same,
)
from dataprep.rules.measuring import make_encoder_from
from dataprep.shards.manifest import Manifest, read_manifest
from dataprep.templates import TEMPLATES
from dataprep.tokenization import load_tokenizer
from tests.dataprep.conversions import GOLDENS, TOKENIZER, make_options, text_row, write_rows
from tests.factories import make_shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contract")
    convert([write_rows(folder / "rows.jsonl", [text_row(1)])], folder / "shards", make_options())
    return folder / "shards"


@pytest.fixture
def manifest(shards: Path) -> Manifest:
    return read_manifest(shards)


def wanted(**changes: Any) -> Contract:
    options = make_options(**changes)
    return contract_of_encoder(make_encoder_from(options), "the options", str(options.model))


def copy_tokenizer(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Copy the tokenizer with a change to its ``tokenizer.json``."""
    shutil.copytree(TOKENIZER, folder)
    members = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    change(members)
    (folder / "tokenizer.json").write_text(json.dumps(members), encoding="utf-8")
    return folder


def test_shards_fit_the_options_that_they_were_made_with(manifest: Manifest) -> None:
    found = contract_of_shards(manifest)
    assert set(found.hashes) == set(PARTS)
    assert compare(found, wanted()) == ()
    assert compare(found, contract_of_model(TOKENIZER, load_tokenizer(TOKENIZER), found)) == ()
    require_same("shards", found, wanted())


@pytest.mark.parametrize(
    ("changes", "parts", "words", "options"),
    [
        (
            {"model_type": "internvl2-4b"},
            {"template"},
            "template: internvl2 (for internvl2-1b) in the shards and internvl2-phi3 (for internvl2-4b) in the options",
            ["--for", "internvl2-4b"],
        ),
        (
            {"max_num": 6},
            {"tiling"},
            "tiling: an image has at most 12 tiles in the shards and 6 in the options",
            ["--max-num", "6"],
        ),
        (
            {"box_style": "internvl"},
            {"boxes"},
            "boxes: boxes are written in style swift in the shards and internvl in the options",
            ["--box-style", "internvl"],
        ),
        (
            {"system": "It's brief."},
            {"system"},
            """in the shards and "It's brief." in the options""",
            ["--system", "It's brief."],
        ),
        ({"system": ""}, {"system"}, "in the shards and '' in the options", ["--system", ""]),
        (
            {"model_type": "internvl-chat-v1_5", "loss_mask": "last-answer"},
            {"template", "boxes", "labels", "system"},
            "labels: the loss mask is answers in the shards and last-answer in the options",
            ["--loss-mask", "last-answer"],
        ),
    ],
    ids=str,
)
def test_settings_are_told_in_words(
    manifest: Manifest, changes: dict[str, Any], parts: set[str], words: str, options: list[str]
) -> None:
    differences = compare(contract_of_shards(manifest), wanted(**changes))
    assert {difference.part for difference in differences} == parts
    assert words in "; ".join(map(str, differences))
    command = shlex.split(repair_command(differences, "the shards/", wanted(**changes)))
    assert command[:3] == ["dataprep", "retemplate", "the shards"]
    assert [part for part in pairwise(command) if list(part) == options]
    assert command[-2] == "--out"


def test_the_loss_alone_is_repaired_by_remasking(manifest: Manifest) -> None:
    differences = compare(contract_of_shards(manifest), wanted(loss_mask="last-answer"))
    command = repair_command(differences, "shards", wanted(loss_mask="last-answer"))
    assert command == "dataprep remask shards --loss-mask last-answer --out shards-last-answer"


def test_another_tokenizer_is_told_token_by_token(manifest: Manifest, tmp_path: Path) -> None:
    def add(members: dict[str, Any]) -> None:
        size = len(members["model"]["vocab"]) + len(members["added_tokens"])
        for number in range(4):
            token = {"id": size + number, "content": f"<new{number}>", "special": True}
            flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
            members["added_tokens"].append(token | flags)

    folder = copy_tokenizer(tmp_path / "more", add)
    (difference,) = compare(contract_of_shards(manifest), wanted(model=folder))
    size = load_tokenizer(TOKENIZER).num_tokens
    assert difference.part == "tokenizer"
    assert f"{size:,} tokens in the shards and {size + 4:,} in the options" in difference.text
    assert f"4 added tokens differ (id in the shards / in the options): '<new0>' - / {size}, " in difference.text
    assert "'<new3>'" not in difference.text
    assert "..." in difference.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: swap(m["model"]["vocab"]), "the tokens that were learnt differ"),
        (lambda m: merge(m["model"]), "the merges of tokens differ"),
        (lambda m: m.update(normalizer={"type": "NFC"}), "normalizer, pre-tokenizer or the flags of added tokens"),
    ],
)
def test_what_else_decides_about_ids_is_told(
    manifest: Manifest, tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    folder = copy_tokenizer(tmp_path / "other", change)
    (difference,) = compare(contract_of_shards(manifest), wanted(model=folder))
    assert words in difference.text


def merge(model: dict[str, Any]) -> None:
    model["vocab"]["ab"] = 9999
    model["merges"] = [["a", "b"]]


def swap(vocab: dict[str, int]) -> None:
    a, b = sorted(vocab)[:2]
    vocab[a], vocab[b] = vocab[b], vocab[a]


def test_the_first_token_is_told(manifest: Manifest) -> None:
    (difference,) = compare(contract_of_shards(manifest), wanted(model=GOLDENS / "tokenizer_bos"))
    assert "a sample begins with no token of its own in the shards and token " in difference.text


def test_a_configuration_written_otherwise_is_told_as_such(manifest: Manifest, tmp_path: Path) -> None:
    folder = copy_tokenizer(tmp_path / "spelt", lambda members: None)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"add_bos_token": None, "bos_token": "none"}))
    (difference,) = compare(contract_of_shards(manifest), wanted(model=folder))
    assert difference.text == "no token differs, but tokenizer_config.json is written otherwise"


def test_shards_that_say_less_are_told_by_their_fingerprint(tmp_path: Path) -> None:
    old = read_manifest(make_shards(tmp_path / "old"))
    assert old.tokenizer is None
    differences = compare(contract_of_shards(old, "a"), wanted(), ("tokenizer",))
    assert differences[0].text.startswith("its fingerprint is t in a and ")


def test_another_rule_of_another_release_is_told(manifest: Manifest) -> None:
    before = contract_of_shards(manifest)
    after = replace(before, name="b", hashes=before.hashes | {"boxes": "other"}, tool_version="9.9")
    (difference,) = compare(before, after)
    expected = f"the same settings, but made by another rule (the shards by dataprep {manifest.tool_version} and b by"
    assert difference.text.startswith(expected)


def test_tiles_of_a_model_folder_are_compared(manifest: Manifest, tmp_path: Path) -> None:
    shutil.copytree(TOKENIZER, tmp_path / "model")
    config = {"force_image_size": 224, "vision_config": {"patch_size": 14}, "downsample_ratio": 0.5}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    before = contract_of_shards(manifest)
    found = contract_of_model(tmp_path / "model", load_tokenizer(tmp_path / "model"), before)
    (difference,) = compare(before, found)
    assert str(difference).startswith(
        "tiling: the side of a tile is 448 px in the shards and 224 in the model; a tile "
    )


@pytest.mark.parametrize(
    ("language", "model_type"),
    [
        ({"text_config": {"model_type": "qwen2"}}, "internvl2-1b"),
        ({"llm_config": {"architectures": ["Phi3ForCausalLM"]}}, "internvl2-4b"),
        ({"llm_config": {"architectures": ["InternLM2ForCausalLM"]}}, "internvl2-2b"),
        ({"text_config": {"model_type": "unheard-of"}}, "internvl2-1b"),
        ({"text_config": [1]}, "internvl2-1b"),
        ({}, "internvl2-1b"),
    ],
)
def test_the_repair_names_a_type_that_the_model_may_be_of(
    manifest: Manifest, tmp_path: Path, language: dict[str, Any], model_type: str
) -> None:
    shutil.copytree(GOLDENS / "tokenizer_bos", tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(json.dumps(language))
    before = contract_of_shards(manifest)
    found = contract_of_model(tmp_path / "model", load_tokenizer(tmp_path / "model"), before)
    command = repair_command(compare(before, found), "s", found)
    assert command == f"dataprep retemplate s --for {model_type} --model {tmp_path / 'model'} --out s-{model_type}"


def test_the_error_says_everything_and_survives_a_worker(manifest: Manifest) -> None:
    with pytest.raises(ContractError) as caught:
        require_same("s", contract_of_shards(manifest), wanted(max_num=6, box_style="internvl"))
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value)
    assert str(error).startswith(
        "s does not fit the options: tiling: an image has at most 12 tiles in the shards and 6"
    )
    assert str(error).endswith(f"repair it with: {error.repair}")
    require_same("s", contract_of_shards(manifest), wanted(max_num=6), ("template",))


def test_options_that_make_other_samples_are_told(manifest: Manifest) -> None:
    def require(**changes: Any) -> None:
        options = make_options(**changes)
        require_options("s", manifest, make_encoder_from(options), options)

    require(jobs=4, on_bad="skip", split="val=0.5")
    with pytest.raises(
        ContractError, match=r"s does not fit the options: tiling: .*; repair it with: dataprep retempl"
    ):
        require(max_num=6, video_frames=3)
    words = (
        r"s was made with --max-length 4096 \(asked for is 99\), --exif ignore \(asked for is apply\), --media embed "
    )
    with pytest.raises(ConfigError, match=words):
        require(exif="apply", max_length=99, media="link")


def test_the_command_repairs_what_differs(
    shards: Path, manifest: Manifest, call: Callable[..., tuple[int, str, str]]
) -> None:
    asked = {"model_type": "internvl2-4b", "model": GOLDENS / "tokenizer_bos", "box_style": "internvl", "system": "Hm."}
    target = wanted(**asked)
    command = repair_command(compare(contract_of_shards(manifest), target), shards, target)
    code, _, err = call(*shlex.split(command)[1:])
    assert (code, err) == (0, "")
    made = read_manifest(Path(f"{shards}-internvl2-4b"))
    assert compare(contract_of_shards(made), target) == ()


def test_facts_hold_what_remasking_needs() -> None:
    tokenizer = load_tokenizer(TOKENIZER)
    facts = describe_tokenizer(tokenizer, TEMPLATES["internvl2"].answer_start)
    assert tokenizer.decode(facts.answer_start_ids) == "<|im_end|><|im_start|>assistant\n"
    assert facts.added_tokens["<IMG_CONTEXT>"] == tokenizer.context_id
    assert (facts.vocab_size, facts.bos_token_id) == (tokenizer.num_tokens, None)
