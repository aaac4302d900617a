"""Hold shards against the model that is to read them, and against the run that taught its adapter.

The comparison itself, its words and the command that repairs are dataprep's (`dataprep.fingerprints`); here is only
what a model folder and a run folder say. Nothing is loaded but the tokenizer and ``config.json``.
"""

import json
from pathlib import Path
from typing import Any

from dataprep.fingerprints import Contract, contract_of_model, contract_of_shards, require_same
from dataprep.shards.reader import Shards
from dataprep.shards.typed_json import JsonTypeError, from_object, to_object
from dataprep.tokenization import TextTokenizer
from infer.conventions import RUN_CONFIG_NAME
from infer.errors import ModelError

CONTRACT_NAME = "contract"
"""Member of a run's record of its shards that holds what they say about how samples are made."""
ASKED_PARTS = ("tokenizer", "template", "tiling", "boxes", "system")
"""What must be alike where a model answers: its labels were those of its training."""


def check_model(model_dir: Path, tokenizer: TextTokenizer, shards: Shards) -> None:
    """Check that shards were made with a model folder's tokenizer and tiles.

    Raises:
        ContractError: With what differs, in words, and the cheapest repair.
    """
    of_shards = contract_of_shards(shards.manifest)
    require_same(shards.directory, of_shards, contract_of_model(model_dir, tokenizer, of_shards))


def check_run(run: Path, shards: Shards, *, model_dir: Path) -> None:
    """Check that shards ask the way the shards did that a run was trained on; a folder without a record says nothing.

    Args:
        run: Folder of a training run or its adapter.
        shards: The shards to answer.
        model_dir: Model folder, for the command that repairs.

    Raises:
        ContractError: With what differs, in words, and the cheapest repair.
        ModelError: If the record of the run cannot be read.
    """
    taught = _read_contract(run, model_dir)
    if taught is not None:
        require_same(shards.directory, contract_of_shards(shards.manifest), taught, ASKED_PARTS)


def contract_record(shards: Shards) -> dict[str, Any]:
    """Return what a run remembers of how its samples were made."""
    return dict(to_object(contract_of_shards(shards.manifest, "the run")))


def _read_contract(run: Path, model_dir: Path) -> Contract | None:
    path = run / RUN_CONFIG_NAME
    if not path.is_file():
        return None
    try:
        members = json.loads(path.read_text(encoding="utf-8"))["shards"][0].get(CONTRACT_NAME)
        return None if members is None else from_object(Contract, members | {"model_dir": str(model_dir)}, "contract")
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, JsonTypeError) as error:
        raise ModelError(f"{path} is not the record of a training run ({error}); restore it or train again") from error
