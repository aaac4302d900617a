"""Keep the samples of a pack apart: attention that runs segment by segment.

A pack is one row of tokens, (1, T), in which whole samples follow one another. ``segment_kwargs`` describes it,
and the attention functions registered here read that description: ``dataprep_varlen`` is PyTorch's own
variable-length kernel (CUDA, 16 bit), ``dataprep_sdpa`` runs SDPA once per segment (everywhere). flash-attn
reads the same description through transformers.

The dense block-diagonal mask that transformers derives from position ids is not relied on: it costs T squared
(3 to 8 times the time of the segments on a CPU at T of 1,024 to 4,096), and transformers drops it without a
word when a cache is made, which ``use_cache`` does by default, so that packed samples would see each other.

Without a description (generation, padded batches) both functions are plain SDPA with transformers' own mask.

Letters: B batch, H heads, T tokens of the pack, L of a segment, D head size.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from infer.errors import ModelError

AttentionChoice = Literal["auto", "flash", "varlen", "sdpa"]

SEGMENT_SDPA = "dataprep_sdpa"
SEGMENT_VARLEN = "dataprep_varlen"


def segment_kwargs(lengths: Sequence[int], device: torch.device) -> dict[str, object]:
    """Describe a pack for the model's forward call.

    Args:
        lengths: Tokens of each segment, in order; their sum is T.
        device: Where the pack's tensors are.

    Returns:
        Keyword arguments for ``model(...)``: the names that transformers hands on to flash-attn, the lengths as
        Python integers (so that no kernel has to wait for the device), and ``use_cache=False``.
    """
    ends = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
    # From pageable memory the copy would wait for the device.
    cu_seqlens = ends.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else ends
    longest = max(lengths)
    return {
        "cu_seq_lens_q": cu_seqlens,
        "cu_seq_lens_k": cu_seqlens,
        "max_length_q": longest,
        "max_length_k": longest,
        "segment_lengths": tuple(lengths),
        "use_cache": False,
    }


def attention_implementation(
    choice: AttentionChoice, *, device: torch.device, dtype: torch.dtype, use_flash_attn: bool | None = None
) -> dict[str, str]:
    """Choose the attention functions of a model.

    Args:
        choice: ``auto`` takes the first that can run of flash-attn 3, 2, the variable-length kernel, segment SDPA.
        device: Where the model will run.
        dtype: Its compute type; the fused kernels need 16 bits.
        use_flash_attn: True is another way to ask for ``flash``, False leaves flash-attn out of ``auto``.

    Returns:
        What ``from_pretrained(attn_implementation=...)`` takes. The vision tower attends within a tile only, so
        it needs no segments.

    Raises:
        ModelError: If the choice is unknown, or asks for a kernel that cannot run here.
    """
    if choice not in get_args(AttentionChoice):
        raise ModelError(f"attention {choice!r} is unknown; choose one of {', '.join(get_args(AttentionChoice))}")
    if use_flash_attn is not None and choice != "auto" and use_flash_attn != (choice == "flash"):
        raise ModelError(
            f"--use-flash-attn {str(use_flash_attn).lower()} and --attention {choice} contradict each other; "
            "leave one out"
        )
    choice = "flash" if use_flash_attn else choice
    fused = device.type == "cuda" and dtype in (torch.bfloat16, torch.float16)
    flash = _installed_flash() if fused and use_flash_attn is not False else None
    if choice == "flash" and flash is None:
        raise ModelError(_why_no_flash(fused))
    if choice == "varlen" and not fused:
        raise ModelError(
            f"attention 'varlen' needs a CUDA device and a 16-bit type, not {device.type} and {dtype}; "
            "use --attention sdpa"
        )
    if choice in ("auto", "flash") and flash is not None:
        return {"text_config": flash, "vision_config": flash}
    if choice == "varlen" or (choice == "auto" and fused):
        return {"text_config": SEGMENT_VARLEN, "vision_config": "sdpa"}
    return {"text_config": SEGMENT_SDPA, "vision_config": "sdpa"}


def segment_sdpa(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    segment_lengths: tuple[int, ...] | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend causally within each segment; the signature is the one transformers calls.

    Args:
        module: The attention layer.
        query: (1, H, T, D) in a pack.
        key: (1, H_kv, T, D); ``value`` likewise.
        value: See ``key``.
        attention_mask: None in a pack.
        segment_lengths: Tokens of each segment, or None for a batch that is no pack.
        **kwargs: ``scaling``, ``dropout`` and what else the layer hands on.

    Returns:
        (1, T, H, D), and None in place of the attention weights.
    """
    if segment_lengths is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    lengths = list(segment_lengths)
    segments = zip(*(torch.split(states, lengths, 2) for states in (query, key, value)), strict=True)
    outputs_HLD = [
        F.scaled_dot_product_attention(
            query_HLD,
            key_HLD,
            value_HLD,
            is_causal=True,
            dropout_p=kwargs.get("dropout", 0.0),
            scale=kwargs.get("scaling"),
            enable_gqa=query.shape[1] != key.shape[1],
        )
        for query_HLD, key_HLD, value_HLD in segments
    ]
    return torch.cat(outputs_HLD, 2).transpose(1, 2).contiguous(), None


def segment_varlen(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    cu_seq_lens_q: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend causally within each segment in one CUDA kernel; shapes as in `segment_sdpa`."""
    if cu_seq_lens_q is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    if kwargs.get("dropout"):
        raise ModelError(
            "PyTorch's variable-length attention has no dropout, and the model's attention_dropout is not 0; "
            "use --attention sdpa"
        )
    from torch.nn.attention.varlen import varlen_attn  # CUDA only in practice: not loaded elsewhere

    # Under autocast the rotary embedding makes float32 of queries and keys; the kernel takes 16 bits only.
    query_THD, key_THD, value_THD = (states[0].transpose(0, 1).to(value.dtype) for states in (query, key, value))
    longest: int = kwargs["max_length_q"]
    output_THD: Any = varlen_attn(
        query_THD,
        key_THD,
        value_THD,
        cu_seq_lens_q,
        cu_seq_lens_q,
        longest,
        longest,
        scale=kwargs.get("scaling"),
        window_size=(-1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output_THD[None], None


def padding_mask(*, attention_mask: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor | None:
    """Build a mask for a padded batch only; a pack is described by its segments. The signature is transformers'."""
    return None if attention_mask is None else sdpa_mask(attention_mask=attention_mask, **kwargs)


def _installed_flash() -> str | None:
    for package, name in (("flash_attn_interface", "flash_attention_3"), ("flash_attn", "flash_attention_2")):
        if find_spec(package) is not None:
            return name
    return None


def _why_no_flash(fused: bool) -> str:
    if not fused:
        return (
            "flash-attn runs on CUDA in bfloat16 or float16 only; use --attention auto, or change --device and --dtype"
        )
    return "flash-attn is not installed; install it with pip install 'dataprep-vl[flash]', or use --attention auto"


for _name, _function in ((SEGMENT_SDPA, segment_sdpa), (SEGMENT_VARLEN, segment_varlen)):
    AttentionInterface.register(_name, _function)
    AttentionMaskInterface.register(_name, padding_mask)
