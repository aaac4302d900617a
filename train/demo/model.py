"""The demo's model folder: a byte-level tokenizer and a tiny, untrained InternVL in the native transformers layout.

The tokenizer is trained on the demo's own text and splits digits one by one, so that every coordinate is spelled with the
same ten tokens; bytes outside that text have tokens of their own, so any UTF-8 text survives a round trip. The model is the
real architecture (vision tower, pixel shuffle, projector, decoder) with small numbers in its configuration.

Only the start of the weights is chosen for a model that has minutes to learn, not days: layer scale 1, sine and cosine as
position embeddings (transformers starts them at zero), and a patch embedding that gives zero for an empty patch, so that a
patch says at first where it is and how it differs from the ground. Weights are a pure function of the seed.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.demo.scenes import GROUNDS

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import InternVLConfig

MODEL_TYPE = "internvl2-2b"
"""Catalog entry whose template and box text the demo uses."""

TILE_PX, PATCH_PX = 64, 8
"""Side of a tile and of a patch, in pixels: 8 x 8 patches, 4 x 4 context tokens."""

EOS, TURN_END, CONTEXT = "</s>", "<|im_end|>", "<IMG_CONTEXT>"
SPECIAL_TOKENS: tuple[str, ...] = (
    "<unk>", "<s>", EOS, "<|im_start|>", TURN_END, "<img>", "</img>", CONTEXT,
    "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>",
)  # fmt: skip

_VOCABULARY_SIZE = 512
_WIDTH, _HEADS, _VISION_LAYERS, _TEXT_LAYERS = 128, 4, 2, 2


def write_model(folder: Path, texts: Iterable[str], *, seed: int) -> None:
    """Write an untrained model and its tokenizer into `folder`.

    Args:
        folder: Made if it does not exist.
        texts: What the tokenizer is trained on; their order does not matter to the ids beyond ties.
        seed: Of the initial weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(texts)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(folder / "special_tokens_map.json", _special_tokens_map())
    _write_json(folder / "tokenizer_config.json", _tokenizer_config())
    build_untrained(tokenizer, seed=seed).save_pretrained(folder)


def train_tokenizer(texts: Iterable[str]) -> "Tokenizer":
    """Train the byte-level BPE tokenizer; the same texts give the same ids."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d| ?\p{L}+|[^\p{L}\d]+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    # The trainer counts words; sorted and distinct input keeps its tie-breaks away from the order of the rows.
    tokenizer.train_from_iterator(sorted(set(texts)), trainer)
    return tokenizer


def build_untrained(tokenizer: "Tokenizer", *, seed: int) -> Any:
    """Return the tiny InternVL with its initial weights; torch's global generator is left as it was."""
    import torch

    from infer.model import ModelOptions, build_model

    model = build_model(model_config(tokenizer), ModelOptions(device="cpu", dtype="float32"), seed=seed)
    embeddings = model.model.vision_tower.embeddings
    with torch.no_grad():
        patches = embeddings.patch_embeddings.projection
        patches.bias.copy_(-(patches.weight.sum((2, 3)) @ _mean_ground()))
        embeddings.position_embeddings[0, 1:] = _grid_waves(TILE_PX // PATCH_PX, _WIDTH)
    return model


def model_config(tokenizer: "Tokenizer") -> "InternVLConfig":
    """Return the configuration of the tiny InternVL."""
    from transformers import InternVLConfig, InternVLVisionConfig, Qwen2Config

    vision = InternVLVisionConfig(
        image_size=TILE_PX,
        patch_size=PATCH_PX,
        hidden_size=_WIDTH,
        intermediate_size=4 * _WIDTH,
        num_hidden_layers=_VISION_LAYERS,
        num_attention_heads=_HEADS,
        attention_bias=True,
        layer_scale_init_value=1.0,
        initializer_range=0.05,
    )
    text = Qwen2Config(
        vocab_size=_VOCABULARY_SIZE,
        hidden_size=_WIDTH,
        intermediate_size=320,
        num_hidden_layers=_TEXT_LAYERS,
        num_attention_heads=_HEADS,
        num_key_value_heads=_HEADS,
        max_position_embeddings=4096,
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.token_to_id("<s>"),
        eos_token_id=tokenizer.token_to_id(TURN_END),
        pad_token_id=tokenizer.token_to_id(EOS),
    )
    return InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.token_to_id(CONTEXT),
        image_seq_length=(TILE_PX // PATCH_PX // 2) ** 2,
    )


def _mean_ground() -> "torch.Tensor":
    """Return the mean ground colour as the model sees it, (3,)."""
    import torch

    from infer.inputs import IMAGENET_MEAN, IMAGENET_STD

    ground = torch.tensor(GROUNDS, dtype=torch.float32).mean(0) / 255
    return (ground - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)


def _grid_waves(side: int, width: int) -> "torch.Tensor":
    """Return sine and cosine of column and row at `width` / 4 frequencies, (side * side, width)."""
    import torch

    frequencies = 0.01 ** (torch.arange(width // 4) / (width // 4))
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = [axis.reshape(-1, 1) * frequencies for axis in (columns, rows)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)


def _special_tokens_map() -> dict[str, object]:
    named = {"bos_token": "<s>", "eos_token": EOS, "pad_token": EOS, "unk_token": "<unk>"}
    extra = [token for token in SPECIAL_TOKENS if token not in named.values()]
    return {**named, "additional_special_tokens": extra}


def _tokenizer_config() -> dict[str, object]:
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {
        **_special_tokens_map(),
        "added_tokens_decoder": {
            str(number): {"content": token, **flags} for number, token in enumerate(SPECIAL_TOKENS)
        },
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
