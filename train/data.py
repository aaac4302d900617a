"""From shard directories to batches: the plan of packs, and a loader that decodes ahead of the loop.

The plan is a pure function of (lengths, pack length, seed, epoch): packs of row numbers, epoch after epoch,
each pack known by its number in that sequence, so that a resumed run goes on at the right one. The loader turns
packs into `PackBatch` in order, in threads: PIL and numpy release the interpreter lock, tiles need not be
copied between processes, and the cache of decoded images is shared. A sample longer than a pack is refused
before anything is read.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from dataprep.fingerprints import contract_of_shards, require_same
from dataprep.packing import pack, shuffled
from dataprep.shards.ledger import require_accounts
from dataprep.shards.reader import Shards, open_shards
from infer.inputs import PackBatch, TileReader, check_sample, collate_pack, location
from infer.model import check_fits
from train.config import TrainConfig
from train.errors import TrainError

_SHARED_PARTS = ("tokenizer", "template", "tiling", "boxes", "labels")
Rows = list[tuple[int, int]]
"""(number of the shard directory, row in it) of each sample."""


def open_all_shards(paths: Sequence[str], model_dir: str | None = None) -> list[Shards]:
    """Open shard directories, and check that they account for every row and were made alike.

    Args:
        paths: The directories.
        model_dir: Folder of the model, for the command that repairs.

    Raises:
        ShardError: If one cannot be read, or its ledger does not add up.
        ContractError: If two differ in what decides about ids and labels; says in what, and how to repair it.
    """
    opened = [open_shards(path) for path in paths]
    for shards in opened:
        require_accounts(shards.directory)
    first = contract_of_shards(opened[0].manifest, paths[0], model_dir)
    for path, shards in zip(paths[1:], opened[1:], strict=True):
        # Rows may have any system prompt, so shards may differ in that of rows without one.
        require_same(path, contract_of_shards(shards.manifest), first, _SHARED_PARTS)
    return opened


class PackPlan:
    """Which samples share a pack, for every epoch."""

    def __init__(self, shards: Sequence[Shards], split: str, *, config: TrainConfig) -> None:
        """Plan the packs of a split over all shard directories that have it.

        Raises:
            TrainError: If there is no such sample, or one is longer than a pack.
        """
        self._config = config
        self._rows: Rows = []
        lengths = []
        for number, directory in enumerate(shards):
            if split in directory.manifest.splits:
                rows = directory.rows(split)
                lengths.append(directory.column("length")[rows])
                self._rows += [(number, int(row)) for row in rows]
        if not self._rows:
            known = sorted({name for directory in shards for name in directory.manifest.splits})
            raise TrainError(
                f"the shards have no samples in split {split!r}; their splits: {', '.join(known) or 'none'}"
            )
        self.lengths = np.concatenate(lengths)
        self._refuse_long(shards)
        self._planned: dict[int, list[np.ndarray]] = {}

    def epoch(self, number: int) -> list[np.ndarray]:
        """Return the packs of an epoch, each an array of sample numbers. The newest two epochs are remembered."""
        if number not in self._planned:
            self._planned = {epoch: packs for epoch, packs in self._planned.items() if epoch == number - 1}
            self._planned[number] = self._plan(number)
        return self._planned[number]

    def rows(self, samples: np.ndarray) -> Rows:
        """Return where the samples of a pack are."""
        return [self._rows[number] for number in samples]

    def stream(self, first_pack: int = 0) -> Iterator[Rows]:
        """Yield the packs of all epochs without end, from pack number `first_pack` on."""
        epoch = 0
        while first_pack >= len(self.epoch(epoch)):
            first_pack -= len(self.epoch(epoch))
            epoch += 1
        while True:
            yield from map(self.rows, self.epoch(epoch)[first_pack:])
            first_pack, epoch = 0, epoch + 1

    def num_packs(self, epochs: float) -> int:
        """Return the number of packs in so many epochs; a part of an epoch counts pack by pack, rounded up."""
        whole = int(epochs)
        part = epochs - whole
        total = sum(len(self.epoch(number)) for number in range(whole))
        return total + (int(np.ceil(part * len(self.epoch(whole)))) if part else 0)

    def fingerprint(self) -> str:
        """Return a hash over everything that the plan follows from."""
        config = self._config
        settings = repr((config.pack_length, config.packing, config.seed)).encode()
        return hashlib.sha256(self.lengths.astype("<i8").tobytes() + settings).hexdigest()

    def _plan(self, number: int) -> list[np.ndarray]:
        if self._config.packing:
            return pack(self.lengths, capacity=self._config.pack_length, seed=self._config.seed, epoch=number)
        return list(shuffled(len(self.lengths), seed=self._config.seed, epoch=number)[:, None])

    def _refuse_long(self, shards: Sequence[Shards]) -> None:
        longest = int(self.lengths.argmax())
        if self.lengths[longest] > self._config.pack_length:
            number, row = self._rows[longest]
            raise TrainError(
                f"{location(shards[number][row])}: {self.lengths[longest]:,} tokens do not fit into a pack of "
                f"{self._config.pack_length:,}; {int((self.lengths > self._config.pack_length).sum()):,} samples are "
                f"too long: raise --pack-length to {self.lengths[longest]}, or convert with a smaller --max-length"
            )


class PackLoader:
    """Batches in the order of the plan, prepared ahead in threads; use it as an iterator and close it."""

    def __init__(
        self, shards: Sequence[Shards], packs: Iterator[Rows], *, config: TrainConfig, model_config: Any
    ) -> None:
        """Take packs from `packs`, which may be endless, as they are needed.

        Args:
            shards: The open shard directories.
            packs: Rows of each pack.
            config: Workers, cache and packs per micro-step.
            model_config: The model's configuration, which ids and tiles must fit.
        """
        for directory in shards:
            check_fits(model_config, directory.manifest)
        self._shards = shards
        self._packs = packs
        self._group = config.micro_batch_size
        self._vocab_size = model_config.text_config.vocab_size
        cache_bytes = config.cache_bytes // len(shards)
        self._readers = [TileReader(directory, cache_bytes=cache_bytes) for directory in shards]
        self._pool = ThreadPoolExecutor(config.num_workers) if config.num_workers else None
        self._ahead = 2 * config.num_workers
        self._waiting: deque[Future[PackBatch]] = deque()
        self._pin = torch.cuda.is_available()

    def __iter__(self) -> Iterator[PackBatch]:
        return self

    def __next__(self) -> PackBatch:
        """Return the next micro-batch; errors of its rows are raised here, in order."""
        if self._pool is None:
            return self._load(self._next_rows())
        while len(self._waiting) <= self._ahead:
            try:
                rows = self._next_rows()
            except StopIteration:
                break
            self._waiting.append(self._pool.submit(self._load, rows))
        if not self._waiting:
            raise StopIteration
        return self._waiting.popleft().result()

    def close(self) -> None:
        """Stop the threads; what they are at is finished first."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _next_rows(self) -> Rows:
        groups = [rows for _, rows in zip(range(self._group), self._packs, strict=False)]
        if not groups:
            raise StopIteration
        return [row for rows in groups for row in rows]

    def _load(self, rows: Rows) -> PackBatch:
        samples, tiles = [], []
        for number, row in rows:
            sample = self._shards[number][row]
            manifest = self._shards[number].manifest
            check_sample(
                sample,
                context_token_id=manifest.context_token_id,
                tokens_per_tile=manifest.tokens_per_tile,
                vocab_size=self._vocab_size,
            )
            samples.append(sample)
            tiles.append(self._readers[number].tiles(sample))
        batch = collate_pack(samples, tiles)
        return batch.pin_memory() if self._pin else batch
