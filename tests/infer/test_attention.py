"""Samples of a pack do not see each other, and packing changes no loss and no gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from infer.attention import SEGMENT_SDPA, attention_implementation, segment_kwargs
from infer.errors import ModelError
from infer.model import ModelOptions, load_model
from tests.factories import make_tiny_model

LENGTHS = (11, 7, 1, 16)
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["qwen2", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"), language=request.param)


def load(folder: Path, *, checkpointing: bool = False) -> Any:
    model = load_model(folder, ModelOptions(device="cpu", dtype="float32")).train()
    if checkpointing:
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    return model


def random_pack(seed: int = 0) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    input_ids = torch.randint(10, 128, (1, sum(LENGTHS)), generator=generator)
    input_ids[0, 2:6] = 9  # one tile in the first sample
    input_ids[0, 20:24] = 9  # and one in the last
    position_ids = torch.cat([torch.arange(length) for length in LENGTHS])[None]
    pixel_values = torch.randn(2, 3, 28, 28, generator=generator)
    return {"input_ids": input_ids, "position_ids": position_ids, "pixel_values": pixel_values}


def sample_of(pack: dict[str, Any], number: int) -> dict[str, Any]:
    start = sum(LENGTHS[:number])
    ids = pack["input_ids"][:, start : start + LENGTHS[number]]
    pixels = {0: pack["pixel_values"][:1], 3: pack["pixel_values"][1:]}.get(number)
    return {"input_ids": ids} | ({} if pixels is None else {"pixel_values": pixels})


@pytest.mark.parametrize("checkpointing", [False, True])
def test_packed_loss_and_gradients_equal_those_of_single_samples(folder: Path, checkpointing: bool) -> None:
    pack = random_pack()
    packed, single = load(folder, checkpointing=checkpointing), load(folder)
    logits = packed(**pack, **segment_kwargs(LENGTHS, CPU)).logits[0]
    starts = [sum(LENGTHS[:i]) for i in range(len(LENGTHS))]
    kept = [t for t in range(sum(LENGTHS) - 1) if t + 1 not in starts]
    loss = F.cross_entropy(logits[kept], pack["input_ids"][0, [t + 1 for t in kept]], reduction="sum")
    loss.backward()

    single.set_attn_implementation("sdpa")  # plain transformers
    expected = torch.zeros(())
    for number in range(len(LENGTHS)):
        sample = sample_of(pack, number)
        if LENGTHS[number] > 1:
            alone = single(**sample).logits[0, :-1]
            expected = expected + F.cross_entropy(alone, sample["input_ids"][0, 1:], reduction="sum")
    expected.backward()

    assert abs(float(loss.detach() - expected.detach())) / len(kept) < 1e-5
    for (name, ours), theirs in zip(packed.named_parameters(), single.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, atol=2e-5, rtol=1e-4)


def test_a_change_in_one_sample_leaves_the_others_alone(folder: Path) -> None:
    model, pack = load(folder), random_pack()
    with torch.no_grad():
        before = model(**pack, **segment_kwargs(LENGTHS, CPU)).logits
        pack["input_ids"][0, 11:18] = 77
        after = model(**pack, **segment_kwargs(LENGTHS, CPU)).logits
    assert torch.equal(before[:, :11], after[:, :11])
    assert torch.equal(before[:, 18:], after[:, 18:])
    assert not torch.equal(before[:, 11:18], after[:, 11:18])


def test_a_padded_batch_without_segments_is_plain_attention(folder: Path) -> None:
    model = load(folder).eval()
    ids = torch.randint(10, 128, (2, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones(2, 9, dtype=torch.long)
    mask[1, :4] = 0
    with torch.no_grad():
        ours = model(input_ids=ids, attention_mask=mask).logits
        model.set_attn_implementation("sdpa")
        theirs = model(input_ids=ids, attention_mask=mask).logits
    assert torch.equal(ours, theirs)


def test_auto_on_a_cpu_is_segment_sdpa() -> None:
    chosen = attention_implementation("auto", device=CPU, dtype=torch.float32)
    assert chosen == {"text_config": SEGMENT_SDPA, "vision_config": "sdpa"}


@pytest.mark.parametrize(
    ("choice", "message"),
    [("flash", "flash-attn runs on CUDA"), ("varlen", "needs a CUDA device"), ("quick", "is unknown")],
)
def test_a_kernel_that_cannot_run_is_refused(choice: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        attention_implementation(choice, device=CPU, dtype=torch.float32)


@pytest.mark.gpu
def test_varlen_kernel_agrees_with_segment_sdpa(folder: Path) -> None:
    pack = {name: value.cuda() for name, value in random_pack().items()}
    kwargs = segment_kwargs(LENGTHS, torch.device("cuda"))
    logits = {}
    for choice in ("varlen", "sdpa"):
        model = load_model(folder, ModelOptions(device="cuda", dtype="bfloat16", attention=choice))
        logits[choice] = model(**pack, **kwargs).logits.float()
    torch.testing.assert_close(logits["varlen"], logits["sdpa"], atol=2e-2, rtol=2e-2)
