"""What convert is held against: ``datasets.map`` as people write it, and the cached-dataset export of ms-swift 4."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from dataprep.templates import TEMPLATES
from dataprep.tiling import choose_grid

_TEMPLATE = TEMPLATES["internvl2"]
_TOKENS_PER_TILE = 256
_FIRST_ROWS = 8


def map_rows(model: str, source: str) -> Callable[[], int]:
    """Return what a script with ``datasets.map`` does, at its defaults: one row a call, in one process.

    As in InternVL's own training code, the context tokens of an image are written out in the text, which the tokenizer
    is given prompt and answer apart; image sizes come from ``PIL.Image.open``. Ids, labels and mask are lists, stored
    by the writer of datasets.
    """
    import datasets
    from PIL import Image
    from transformers import PreTrainedTokenizerFast

    datasets.disable_progress_bars()
    datasets.disable_caching()
    folder = Path(source).parent
    cache = str(Path(source).with_suffix(".datasets"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(Path(model) / "tokenizer.json"))
    table = datasets.load_dataset("json", data_files=source, split="train", cache_dir=cache)

    def encode(row: dict[str, Any]) -> dict[str, Any]:
        query, answer, sizes = row["query"], row["response"], []
        for path in row.get("images") or ():
            with Image.open(folder / path) as image:
                sizes.append(image.size)
            width, height = sizes[-1]
            grid = choose_grid(width, height, max_num=12, tile_size_px=448)
            tokens = "<IMG_CONTEXT>" * (_TOKENS_PER_TILE * grid.tiles)
            query = query.replace("<image>", f"<img>{tokens}</img>\n", 1)
        for entry in row.get("objects") or ():
            width, height = sizes[entry["image"]]
            x1, y1, x2, y2 = entry["bbox"]
            box = [int(x1 / width * 999), int(y1 / height * 999), int(x2 / width * 999), int(y2 / height * 999)]
            for tag, text in (("<ref-object>", f"<ref>{entry['caption']}</ref>"), ("<bbox>", f"<box> [{box}] </box>")):
                if tag in query:
                    query = query.replace(tag, text, 1)
                else:
                    answer = answer.replace(tag, text, 1)
        system = _TEMPLATE.render_system(_TEMPLATE.default_system)
        prompt = f"{system}{_TEMPLATE.user_start}{query}{_TEMPLATE.answer_start}"
        prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        answer_ids = tokenizer(answer + _TEMPLATE.end, add_special_tokens=False)["input_ids"]
        return {
            "input_ids": prompt_ids + answer_ids,
            "labels": [-100] * len(prompt_ids) + answer_ids,
            "attention_mask": [1] * (len(prompt_ids) + len(answer_ids)),
        }

    def work() -> int:
        try:
            return len(table.map(encode, remove_columns=table.column_names))
        finally:
            shutil.rmtree(cache)

    return work


def write_swift_model(model: Path, folder: Path) -> Path:
    """Write the model folder that ms-swift is given: the same tokenizer and a tiny InternVL2, which it never loads.

    The export reads configuration and tokenizer alone; the class of the configuration is one of original InternVL
    checkpoints, cut down to what is read.
    """
    shutil.copytree(model, folder)
    language_model = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": 33_000,
        "max_position_embeddings": 32_768,
    }
    config = {
        "model_type": "internvl_chat",
        "architectures": ["InternVLChatModel"],
        "auto_map": {"AutoConfig": "configuration_internvl_chat.InternVLChatConfig"},
        "torch_dtype": "bfloat16",
        "llm_config": language_model,
        "force_image_size": 448,
        "downsample_ratio": 0.5,
        "template": "internvl2",
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "configuration_internvl_chat.py").write_text(_SWIFT_CONFIGURATION, encoding="utf-8")
    return folder


_SWIFT_CONFIGURATION = """\
from transformers import PretrainedConfig, Qwen2Config


class InternVLChatConfig(PretrainedConfig):
    model_type = "internvl_chat"

    def __init__(self, llm_config=None, **rest):
        super().__init__(**rest)
        self.llm_config = Qwen2Config(**(llm_config or {}))
"""


def export_with_swift(python: str, model: Path, source: Path, rows: int) -> dict[str, Any]:
    """Measure ``swift export --to_cached_dataset`` on the first rows of a data file, in one process and one thread.

    What it takes to start is left out: a run on 8 rows is taken off.

    Args:
        python: Interpreter of the environment that holds ms-swift.
        model: As from :func:`write_swift_model`.
        source: Data file in the native format.
        rows: How many rows.
    """
    few = _run_swift(python, model, source, _FIRST_ROWS)
    many = _run_swift(python, model, source, rows + _FIRST_ROWS)
    times = {key: many[key] - few[key] for key in ("wall_s", "cpu_s")}
    return {"rows": rows, **times, "peak_mb": many["peak_mb"]}


def _run_swift(python: str, model: Path, source: Path, rows: int) -> dict[str, float]:
    folder = source.with_suffix(".swift")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    data = folder / "rows.jsonl"
    with source.open(encoding="utf-8") as lines, data.open("w", encoding="utf-8") as file:
        for line in islice(lines, rows):
            file.write(json.dumps(_for_swift(json.loads(line), source.parent), ensure_ascii=False) + "\n")
    command = [
        python, "-c", "from swift.cli.main import cli_main; cli_main()", "export", "--model", str(model),
        "--model_type", "internvl_chat", "--template", "internvl2", "--dataset", str(data), "--max_length", "8192",
        "--to_cached_dataset", "true", "--split_dataset_ratio", "0", "--output_dir", str(folder / "cached"),
    ]  # fmt: skip
    caches = {name: str(folder / "cache") for name in ("HF_HOME", "MODELSCOPE_CACHE", "HF_DATASETS_CACHE")}
    settings = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=os.environ | caches | settings, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or not any((folder / "cached").rglob("*.arrow")):
        raise SystemExit(f"ms-swift failed: {done.stdout[-1500:]}{done.stderr[-1500:]}")
    shutil.rmtree(folder)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": wall, "cpu_s": cpu, "peak_mb": after.ru_maxrss / 1024}


def _for_swift(row: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a native row in the format of ms-swift 4."""
    turns = [{"role": "user", "content": row["query"]}, {"role": "assistant", "content": row["response"]}]
    made: dict[str, Any] = {"messages": turns}
    if "images" in row:
        made["images"] = [str(folder / path) for path in row["images"]]
    if "objects" in row:
        entries = row["objects"]
        made["objects"] = {"ref": [e["caption"] for e in entries], "bbox": [e["bbox"] for e in entries]}
    return made
