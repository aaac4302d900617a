"""What the benchmark of reading measures, each in a process of its own: ``python -m benchmarks.read_jobs LIBRARY ...``.

A library writes the samples of a shard directory in its own format, at its own default settings but for compression,
which is off everywhere, and reads them again: ids, labels and the bytes of the picture, every page of them
touched. Needs numpy, pyarrow and the library, so that the libraries can live in an environment of their own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

_PAGE = 1024  # numbers of 4 bytes

Row = dict[str, Any]
"""``ids`` and ``labels`` (int32 arrays), ``image`` (bytes)."""


class Dataprep:
    """Our reader over the shards themselves."""

    is_random = True

    def __init__(self, folder: Path) -> None:
        from dataprep.shards.reader import open_shards

        self._shards = open_shards(folder)

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, row: int) -> Row:
        sample = self._shards[row]
        image = b"".join(self._shards.media(image.media).bytes or b"" for image in sample.images)
        return {"ids": sample.input_ids, "labels": sample.labels, "image": image}

    def __iter__(self) -> Iterator[Row]:
        return map(self.__getitem__, range(len(self)))


class Datasets:
    """Hugging Face datasets with numpy format."""

    is_random = True

    @staticmethod
    def write(rows: Iterable[Row], folder: Path) -> None:
        """Write rows into a folder."""
        import datasets
        import pyarrow as pa

        kinds = {"ids": pa.large_list(pa.int32()), "labels": pa.large_list(pa.int32()), "image": pa.large_binary()}
        features = datasets.Features.from_arrow_schema(pa.schema(list(kinds.items())))
        with datasets.arrow_writer.ArrowWriter(path=str(folder / "rows.arrow"), features=features) as writer:
            for row in rows:
                writer.write(row)
            writer.finalize()

    def __init__(self, folder: Path) -> None:
        import datasets

        self._rows = datasets.Dataset.from_file(str(folder / "rows.arrow")).with_format("numpy")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Row:
        return self._rows[row]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


class Streaming:
    """mosaicml-streaming: MDS files, read from the local folder."""

    is_random = True

    @staticmethod
    def write(rows: Iterable[Row], folder: Path) -> None:
        """Write rows into a folder."""
        from streaming import MDSWriter

        columns = {"ids": "ndarray:int32", "labels": "ndarray:int32", "image": "bytes"}
        with MDSWriter(out=str(folder), columns=columns) as writer:
            for row in rows:
                writer.write(row)

    def __init__(self, folder: Path) -> None:
        from streaming import StreamingDataset

        self._rows = StreamingDataset(local=str(folder), batch_size=1)

    def __len__(self) -> int:
        return int(self._rows.num_samples)

    def __getitem__(self, row: int) -> Row:
        return self._rows[row]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


class Litdata:
    """litdata: its chunks, read from the local folder."""

    is_random = True

    @staticmethod
    def write(rows: Iterable[Row], folder: Path) -> None:
        """Write rows into a folder."""
        from litdata.streaming.writer import BinaryWriter

        writer = BinaryWriter(str(folder), chunk_bytes="64MB")
        for number, row in enumerate(rows):
            writer.add_item(number, row)
        writer.done()
        writer.merge()

    def __init__(self, folder: Path) -> None:
        from litdata import StreamingDataset

        self._rows = StreamingDataset(str(folder))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Row:
        return self._rows[row]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


class Webdataset:
    """webdataset: one tar file; it cannot read at random."""

    is_random = False

    @staticmethod
    def write(rows: Iterable[Row], folder: Path) -> None:
        """Write rows into a folder."""
        import webdataset

        with webdataset.TarWriter(str(folder / "rows.tar")) as writer:
            for number, row in enumerate(rows):
                tokens = {"ids.bin": row["ids"].tobytes(), "labels.bin": row["labels"].tobytes()}
                writer.write({"__key__": f"{number:09d}", **tokens, "jpg": row["image"]})

    def __init__(self, folder: Path) -> None:
        import webdataset

        self._rows = webdataset.WebDataset(str(folder / "rows.tar"), shardshuffle=False)

    def __iter__(self) -> Iterator[Row]:
        import numpy as np

        for row in self._rows:
            ids, labels = (np.frombuffer(row[name], np.int32) for name in ("ids.bin", "labels.bin"))
            yield {"ids": ids, "labels": labels, "image": row["jpg"]}


LIBRARIES: dict[str, tuple[str, type[Any]]] = {
    "dataprep": ("dataprep", Dataprep),
    "datasets": ("datasets", Datasets),
    "mosaicml-streaming": ("streaming", Streaming),
    "litdata": ("litdata", Litdata),
    "webdataset": ("webdataset", Webdataset),
}
"""By name: the module, and the class that uses it."""


def shard_rows(folder: Path) -> Iterator[Row]:
    """Yield the samples of a shard directory with embedded media, with pyarrow alone."""
    import numpy as np
    import pyarrow as pa

    media = [
        value
        for path in sorted(folder.glob("media-*.arrow"))
        for batch in pa.ipc.open_file(pa.memory_map(str(path))).read_all().select(["bytes"]).to_batches()
        for value in batch.column(0)
    ]
    for path in sorted(folder.glob("samples-*.arrow")):
        for batch in pa.ipc.open_file(pa.memory_map(str(path))).read_all().to_batches():
            columns = [batch.column(name) for name in ("input_ids", "labels", "images")]
            for ids, labels, images in zip(*columns, strict=True):
                image = b"".join(media[image["media"]].as_py() for image in images.as_py())
                yield {
                    "ids": np.array(ids.values, dtype=np.int32),
                    "labels": np.array(labels.values, dtype=np.int32),
                    "image": image,
                }


def _touch(row: Row) -> int:
    """Read something of every page of ids and labels, which a map has not read yet; return the sample's bytes."""
    if not row["ids"][::_PAGE].tolist() or not row["labels"][::_PAGE].tolist():
        raise ValueError("a sample without ids")
    return int(row["ids"].nbytes + row["labels"].nbytes + len(row["image"]))


def _measure(read: Callable[[], Iterable[Row]], num_rows: int) -> dict[str, float]:
    """Return samples and bytes per second of wall and CPU time, of the best of three rounds."""
    best: dict[str, float] = {}
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        num_bytes = sum(map(_touch, read()))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rates = {"per_s": num_rows / wall, "per_cpu_s": num_rows / cpu, "gb_per_s": num_bytes / wall / 1e9}
        best = {name: max(rate, best.get(name, 0.0)) for name, rate in rates.items()}
    return best


def read_all(library: str, folder: Path, num_rows: int, num_random: int) -> dict[str, Any]:
    """Open what a library has written and read it at random and in order."""
    import numpy as np

    start = time.perf_counter()
    rows = LIBRARIES[library][1](folder)
    next(iter(rows))
    result: dict[str, Any] = {"first_sample_s": time.perf_counter() - start}
    if rows.is_random:
        order = np.random.default_rng(0).permutation(num_rows)[:num_random].tolist()
        result["random"] = _measure(lambda: map(rows.__getitem__, order), len(order))
    result["sequential"] = _measure(lambda: iter(rows), num_rows)
    return result


def open_lengths(folder: Path) -> dict[str, float]:
    """Open a shard directory and get the lengths of all rows, as training does before its first step."""
    from dataprep.shards.reader import open_shards

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        lengths = open_shards(folder).column("length")
        seconds.append(time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"rows": len(lengths), "first_s": seconds[0], "s": min(seconds), "added_mb": (after - before) / 1024}


def main() -> None:
    """Do one job and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=("has", "write", "read", "lengths"))
    parser.add_argument("reader", choices=LIBRARIES)
    parser.add_argument("--shards", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--random", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=0)
    options = parser.parse_args()
    module, used = LIBRARIES[options.reader]
    figures: dict[str, Any] = {}
    if options.job == "has":
        figures = {"version": str(getattr(importlib.import_module(module), "__version__", "unknown"))}
    elif options.job == "write":
        options.folder.mkdir(parents=True)
        used.write(shard_rows(options.shards), options.folder)
    elif options.job == "read":
        figures = read_all(options.reader, options.folder, options.rows, options.random)
    else:
        figures = open_lengths(options.folder)
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
