"""What a run folder remembers about its shards, so that a question is asked the way the model was taught.

Training writes ``train_config.json`` into its folder; inference reads the conversion options from it.
"""

import json
from pathlib import Path
from typing import Any

from infer.errors import ModelError

RUN_CONFIG_NAME = "train_config.json"
CONVENTIONS = ("model_type", "system", "max_num", "box_style", "missing_image_tag", "video_frames", "exif")
"""Conversion options that a question must follow, as a run records them for each of its shard directories."""


def read_conventions(folder: Path) -> dict[str, Any]:
    """Return the conversion options of the shards that a run folder was trained on; empty if it is no run."""
    path = folder / RUN_CONFIG_NAME
    if not path.is_file():
        return {}
    try:
        shards = json.loads(path.read_text(encoding="utf-8"))["shards"][0]
        return {name: shards[name] for name in CONVENTIONS}
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ModelError(f"{path} is not the record of a training run ({error}); restore it or train again") from error
