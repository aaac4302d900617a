"""Turn samples of a shard into what a model's forward call takes.

Encoded media become uint8 tiles on the host (`TileReader`, with a small cache of decoded images), samples
become one packed row of tokens (`collate_pack`), and pixels are normalised on the device, so that a quarter of
the float32 bytes travels. Ids and labels pass through untouched. Nothing here plans packs, and nothing here
runs the model.

Letters: N tiles, S tile side in pixels, C channels, T tokens, K trained positions.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from dataprep.errors import MediaError, ShardError
from dataprep.media.decode import cut_tiles, open_rgb
from dataprep.media.isolation import read_frames
from dataprep.shards.format import IGNORE_INDEX, KIND_FRAME, MEDIA_LINK
from dataprep.shards.reader import Shards
from dataprep.shards.samples import Sample, SampleImage
from dataprep.tiling import TileGrid
from infer.attention import segment_kwargs
from infer.errors import SampleError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_TileKey = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PackBatch:
    """One pack, ready for a device.

    Attributes:
        input_ids: int64 (1, T).
        position_ids: int64 (1, T), from 0 in each segment.
        target_positions: int64 (K,), the positions whose next token is trained.
        targets: int64 (K,), those tokens.
        tiles_NSSC: uint8 (N, S, S, 3), or None if no segment has an image.
        segment_lengths: Tokens of each segment.
        locations: ``path:line`` of each segment's row.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    target_positions: torch.Tensor
    targets: torch.Tensor
    tiles_NSSC: torch.Tensor | None
    segment_lengths: tuple[int, ...]
    locations: tuple[str, ...]

    def to(self, device: torch.device) -> "PackBatch":
        """Return the pack on `device`; from pinned memory the copies overlap with computing."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "PackBatch":
        """Return the pack in page-locked host memory."""
        return self._map(lambda tensor: tensor.pin_memory())

    def forward_kwargs(self, dtype: torch.dtype) -> dict[str, object]:
        """Return the arguments of ``model(...)`` that give logits at the trained positions only: (1, K, vocabulary)."""
        kwargs = segment_kwargs(self.segment_lengths, self.input_ids.device)
        kwargs |= {"input_ids": self.input_ids, "position_ids": self.position_ids}
        kwargs |= {"logits_to_keep": self.target_positions}
        if self.tiles_NSSC is not None:
            kwargs["pixel_values"] = normalise_tiles(self.tiles_NSSC, dtype)
        return kwargs

    def _map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> "PackBatch":
        return PackBatch(
            input_ids=function(self.input_ids),
            position_ids=function(self.position_ids),
            target_positions=function(self.target_positions),
            targets=function(self.targets),
            tiles_NSSC=None if self.tiles_NSSC is None else function(self.tiles_NSSC),
            segment_lengths=self.segment_lengths,
            locations=self.locations,
        )


class TileReader:
    """Decode the tiles of a sample's images, remembering recent images.

    Safe to call from several threads: PIL works outside the interpreter lock, so threads decode in parallel.
    """

    def __init__(self, shards: Shards, *, cache_bytes: int = 256 << 20) -> None:
        """Read from `shards`, keeping at most `cache_bytes` of tiles (0 keeps none)."""
        self._shards = shards
        self._cache: OrderedDict[_TileKey, np.ndarray] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._held_bytes = 0
        self._lock = threading.Lock()

    def tiles(self, sample: Sample) -> np.ndarray | None:
        """Return the sample's tiles in order of its placeholders, uint8 (N, S, S, 3), or None if it has no image.

        Raises:
            SampleError: If a medium cannot be read or decoded; names the row.
        """
        if not sample.images:
            return None
        try:
            return np.concatenate(self._tiles_per_image(sample.images))
        except (MediaError, ShardError) as error:
            raise SampleError(location(sample), str(error)) from error

    def _tiles_per_image(self, images: Sequence[SampleImage]) -> list[np.ndarray]:
        with self._lock:
            found = {key: self._recall(key) for key in map(_tile_key, images) if key in self._cache}
        missing = [image for image in images if _tile_key(image) not in found]
        frames = self._linked_frames(missing)
        for image in missing:
            frame = frames.get((image.media, image.frame_index))
            picture = self._open(image) if frame is None else Image.fromarray(frame)
            grid = TileGrid(image.columns, image.rows, image.tiles)
            tiles = cut_tiles(picture, grid, tile_size_px=self._shards.manifest.tile_size_px)
            found[_tile_key(image)] = tiles
            with self._lock:
                self._remember(_tile_key(image), tiles)
        return [found[_tile_key(image)] for image in images]

    def _open(self, image: SampleImage) -> Image.Image:
        data = self._shards.read_media(self._shards.media(image.media))
        return open_rgb(data, apply_exif=self._shards.manifest.exif == "apply")

    def _linked_frames(self, images: Sequence[SampleImage]) -> dict[tuple[int, int], np.ndarray]:
        """Read the frames that lie in linked video files, opening each file once."""
        if self._shards.manifest.media_mode != MEDIA_LINK:
            return {}
        indices: dict[int, list[int]] = {}
        for image in images:
            if image.kind == KIND_FRAME:
                indices.setdefault(image.media, []).append(image.frame_index)
        frames: dict[tuple[int, int], np.ndarray] = {}
        for media, wanted in indices.items():
            path = self._shards.media_path(self._shards.media(media))
            frames.update(zip(((media, index) for index in wanted), read_frames(path, wanted), strict=True))
        return frames

    def _recall(self, key: _TileKey) -> np.ndarray:
        self._cache.move_to_end(key)
        return self._cache[key]

    def _remember(self, key: _TileKey, tiles: np.ndarray) -> None:
        if key in self._cache or tiles.nbytes > self._cache_bytes:
            return
        self._cache[key] = tiles
        self._held_bytes += tiles.nbytes
        while self._held_bytes > self._cache_bytes:
            self._held_bytes -= self._cache.popitem(last=False)[1].nbytes


def _tile_key(image: SampleImage) -> _TileKey:
    return (image.media, image.frame_index, image.columns, image.rows)


def location(sample: Sample) -> str:
    """Return where the sample comes from, as ``path:line``."""
    return f"{sample.source_file}:{sample.source_line}"


def collate_pack(samples: Sequence[Sample], tiles: Sequence[np.ndarray | None]) -> PackBatch:
    """Lay samples one after another in one row.

    Args:
        samples: At least one.
        tiles: Of each sample, uint8 (N, S, S, 3) or None.
    """
    lengths = [len(sample.input_ids) for sample in samples]
    labels = np.concatenate([sample.labels for sample in samples])
    starts = np.cumsum([0, *lengths[:-1]])
    # A segment's first token would be predicted from the segment before it.
    labels[starts] = IGNORE_INDEX
    target_positions = np.flatnonzero(labels[1:] != IGNORE_INDEX)
    position_ids = np.arange(len(labels)) - np.repeat(starts, lengths)
    with_tiles = [array for array in tiles if array is not None]
    return PackBatch(
        input_ids=_int64(np.concatenate([sample.input_ids for sample in samples]))[None],
        position_ids=_int64(position_ids)[None],
        target_positions=_int64(target_positions),
        targets=_int64(labels[target_positions + 1]),
        tiles_NSSC=torch.from_numpy(np.concatenate(with_tiles)) if with_tiles else None,
        segment_lengths=tuple(lengths),
        locations=tuple(location(sample) for sample in samples),
    )


def check_sample(sample: Sample, *, context_token_id: int, tokens_per_tile: int, vocab_size: int) -> None:
    """Check that a sample's ids agree with its tiles and with the model; raise SampleError otherwise.

    The model's own complaint comes on the device, far from the row.
    """
    num_context = int(np.count_nonzero(sample.input_ids == context_token_id))
    expected = tokens_per_tile * sum(image.tiles for image in sample.images)
    if num_context != expected:
        raise SampleError(
            location(sample),
            f"{num_context} image context tokens, but its tiles need {expected}; run 'dataprep verify' on the shards",
        )
    largest = int(sample.input_ids.max())
    if largest >= vocab_size:
        raise SampleError(
            location(sample),
            f"token id {largest}, but the model's vocabulary has {vocab_size} ids; convert with this model's tokenizer",
        )


def normalise_tiles(tiles_NSSC: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return pixel values (N, 3, S, S) of uint8 tiles, on their device.

    Source: InternVL's transform (ImageNet mean and deviation), computed in float32 and then cast to `dtype`.
    """
    mean, std = _mean_and_std(tiles_NSSC.device)
    pixels_NCSS = tiles_NSSC.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    return pixels_NCSS.div_(255).sub_(mean).div_(std).to(dtype)


@lru_cache(maxsize=16)
def _mean_and_std(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    # Made once per device: each copy from the host would wait for it.
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return mean, std


def _int64(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.int64, copy=False))
