"""One flipped bit anywhere in a converted directory: always found, never a wrong sample, never a crash."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from dataprep import convert, ledger, open_shards, verify
from dataprep.errors import ConfigError, ShardError
from dataprep.shards.ledger import entries, require_accounts
from dataprep.shards.stories import why
from tests.dataprep.conversions import make_options, write_varied


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards with text, images, frames and rejected rows in several files of each kind."""
    folder = tmp_path_factory.mktemp("flips")
    source = write_varied(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataprep.assembly.SHARD_BYTES", 1500)
        options = make_options(on_bad="skip", max_bad_ratio=1.0, split="val=0.4")
        convert([source], folder / "out", options)
    return folder / "out"


def random_bits(folder: Path, count: int) -> list[tuple[Path, int]]:
    """Draw bits over all files, each bit of the directory as likely as any other, and one in each file at least."""
    files = sorted(folder.iterdir())
    ends = np.cumsum([file.stat().st_size * 8 for file in files])
    rng = np.random.default_rng(count)
    numbers = rng.integers(0, ends[-1], count - len(files))
    numbers = np.concatenate([numbers, ends - 1 - rng.integers(0, 8, len(files))])
    owners = np.searchsorted(ends, numbers, side="right")
    return [(files[o], int(n - (ends[o] - files[o].stat().st_size * 8))) for o, n in zip(owners, numbers, strict=True)]


def use_unchecked(folder: Path) -> None:
    """Read everything without checksums: wrong values are possible, crashes and foreign errors are not."""
    with suppress(ShardError):
        shards = open_shards(folder)
        for row in range(len(shards)):
            with suppress(ShardError):
                shards[row]
        for number in range(shards.num_media):
            with suppress(ShardError):
                shards.read_media(shards.media(number))
        for name in ("length", "tiles"):
            with suppress(ShardError):
                shards.column(name)
    with suppress(ShardError):
        list(entries(folder))
    for line in (1, 5, 10):
        with suppress(ShardError, ConfigError):
            why(folder, f"rows.jsonl:{line}")


def check_flips(folder: Path, count: int, *, unchecked_every: int) -> None:
    for number, (file, bit) in enumerate(random_bits(folder, count)):
        sound = file.read_bytes()
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        try:
            problems = verify(folder).problems
            assert problems, (file.name, bit)
            assert file.name in problems[0], (file.name, bit, problems)
            with pytest.raises(ShardError, match=file.name):
                open_shards(folder, check=True)
            if number % unchecked_every == 0:
                use_unchecked(folder)
            if file.name in ("manifest.json", "ledger.arrow", "rejects.jsonl"):
                with pytest.raises(ShardError, match=file.name):
                    require_accounts(folder)
        finally:
            file.write_bytes(sound)
    assert verify(folder).ok
    assert ledger(folder).ok


def test_50_flipped_bits_are_found(converted: Path) -> None:
    check_flips(converted, 50, unchecked_every=10)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_1000_flipped_bits_are_found(converted: Path) -> None:
    check_flips(converted, 1000, unchecked_every=1)
