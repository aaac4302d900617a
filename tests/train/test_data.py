"""The plan of packs and the loader: nothing lost, nothing doubled, everything named."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pytest

from dataprep.errors import ContractError, ShardLedgerError
from dataprep.shards.manifest import read_manifest, write_manifest
from dataprep.shards.reader import open_shards
from dataprep.shards.samples import Media
from infer.errors import ModelMismatchError, SampleError
from infer.model import ModelOptions, load_model
from tests.factories import make_chat_sample, make_chat_shards, make_media, make_shards
from train.config import TrainConfig
from train.data import PackLoader, PackPlan, open_all_shards
from train.errors import TrainError


def test_every_epoch_has_every_sample_once_in_another_order(config: TrainConfig) -> None:
    plan = PackPlan(open_all_shards(config.shards), "train", config=config)
    first, second = plan.epoch(0), plan.epoch(1)
    for packs in (first, second):
        assert sorted(chain.from_iterable(pack.tolist() for pack in packs)) == list(range(7))
        assert all(plan.lengths[pack].sum() <= config.pack_length for pack in packs)
    assert [pack.tolist() for pack in first] != [pack.tolist() for pack in second]


def test_the_stream_goes_on_at_any_pack(config: TrainConfig) -> None:
    plan = PackPlan(open_all_shards(config.shards), "train", config=config)
    whole = list(islice(plan.stream(), 12))
    for start in (1, 5, 9):
        assert list(islice(plan.stream(start), 12 - start)) == whole[start:]
    per_epoch = len(plan.epoch(0))
    assert plan.num_packs(1) == per_epoch
    assert plan.num_packs(0.5) == int(np.ceil(per_epoch / 2))


def test_without_packing_each_sample_is_a_pack(config: TrainConfig) -> None:
    plan = PackPlan(open_all_shards(config.shards), "train", config=replace(config, packing=False))
    assert [len(pack) for pack in plan.epoch(0)] == [1] * 7
    packed = PackPlan(open_all_shards(config.shards), "train", config=config)
    assert plan.fingerprint() != packed.fingerprint()


def test_a_sample_longer_than_a_pack_is_named(config: TrainConfig) -> None:
    with pytest.raises(
        TrainError, match=r"rows\.jsonl:\d: 41 tokens do not fit into a pack of 30; 3 samples are too long"
    ):
        PackPlan(open_all_shards(config.shards), "train", config=replace(config, pack_length=30))


def test_shards_that_do_not_account_for_every_row_are_refused(config: TrainConfig, tmp_path: Path) -> None:
    path = make_shards(tmp_path / "lost")
    manifest = read_manifest(path)
    write_manifest(path, replace(manifest, ledger=replace(manifest.ledger, rejected=0, rows_in=6)))
    with pytest.raises(ShardLedgerError, match=r"lost: not every row .* manifest\.json: the sources have 7"):
        open_all_shards((*config.shards, str(path)))


def test_a_missing_split_lists_the_others(config: TrainConfig) -> None:
    with pytest.raises(TrainError, match="split 'dev'; their splits: train, val"):
        PackPlan(open_all_shards(config.shards), "dev", config=config)


def test_shards_of_several_folders_are_joined_if_alike(config: TrainConfig, tmp_path: Path) -> None:
    other = str(make_shards(tmp_path / "other"))
    with pytest.raises(ContractError, match=r"tokenizer: its fingerprint is t in the shards and .* in .*shards;"):
        open_all_shards((*config.shards, other))
    plan = PackPlan(open_all_shards(config.shards * 2), "train", config=config)
    assert len(plan.lengths) == 14
    assert {number for pack in plan.epoch(0) for number, _ in plan.rows(pack)} == {0, 1}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_come_in_order_with_their_locations(config: TrainConfig, num_workers: int) -> None:
    shards = open_all_shards(config.shards)
    model = load_model(config.model, ModelOptions(device="cpu"))
    rows = [[(0, 0), (0, 1)], [(0, 2)], [(0, 3)]]
    changed = replace(config, num_workers=num_workers, micro_batch_size=2)
    loader = PackLoader(shards, iter(rows), config=changed, model_config=model.config)
    batches = list(loader)
    loader.close()
    assert [batch.locations for batch in batches] == [
        ("rows.jsonl:1", "rows.jsonl:2", "rows.jsonl:3"),
        ("rows.jsonl:4",),
    ]
    assert batches[0].tiles_NSSC is not None
    assert batches[0].tiles_NSSC.shape == (3, 28, 28, 3)


def test_a_broken_image_stops_at_its_row(config: TrainConfig, tmp_path: Path) -> None:
    broken = make_media()
    media = [Media(broken.hash, b"broken", "b.png", 6, None, "png", 40, 30)]
    sample = make_chat_sample(Path(config.model), 4, "<image>?", "red", images=[0])
    shards = [open_shards(make_chat_shards(tmp_path / "shards", Path(config.model), [sample], media))]
    model = load_model(config.model, ModelOptions(device="cpu"))
    loader = PackLoader(shards, iter([[(0, 0)]]), config=config, model_config=model.config)
    with pytest.raises(SampleError, match=r"^rows\.jsonl:4: "):
        next(loader)
    loader.close()


def test_shards_of_another_model_are_refused_before_reading(config: TrainConfig, tmp_path: Path) -> None:
    model = load_model(config.model, ModelOptions(device="cpu"))
    shards = [open_shards(make_shards(tmp_path / "shards", changes={"tokens_per_tile": 256}))]
    with pytest.raises(ModelMismatchError, match="tokens per tile is 4 in the model and 256 in the shards"):
        PackLoader(shards, iter([]), config=config, model_config=model.config)
