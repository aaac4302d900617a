"""Packs, tiles and their provenance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dataprep.media.decode import cut_tiles, open_rgb
from dataprep.media.video import read_frames
from dataprep.shards.reader import open_shards
from dataprep.shards.samples import Media, Sample, SampleImage
from dataprep.tiling import TileGrid
from infer.errors import SampleError
from infer.inputs import TileReader, check_sample, collate_pack, normalise_tiles
from tests.factories import make_media, make_sample, make_shards


def test_a_pack_restarts_positions_and_trains_only_what_labels_say() -> None:
    samples = [make_sample(1, text_tokens=4), make_sample(2, text_tokens=6)]
    batch = collate_pack(samples, [None, None])
    assert batch.segment_lengths == (4, 6)
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 4, 5]]
    assert batch.target_positions.tolist() == [1, 2, 6, 7, 8]
    ids = np.concatenate([sample.input_ids for sample in samples])
    assert batch.targets.tolist() == [int(ids[t + 1]) for t in (1, 2, 6, 7, 8)]
    assert batch.locations == ("rows.jsonl:1", "rows.jsonl:2")
    assert batch.tiles_NSSC is None


def test_a_label_on_a_first_token_is_not_predicted_from_the_sample_before() -> None:
    fully_trained = Sample(
        **{name: getattr(make_sample(2), name) for name in Sample.__slots__ if name != "labels"},
        labels=make_sample(2).input_ids,
    )
    batch = collate_pack([make_sample(1, text_tokens=4), fully_trained], [None, None])
    assert 3 not in batch.target_positions.tolist()
    assert batch.target_positions.tolist() == [1, 2, 4, 5, 6, 7, 8]


def test_tiles_are_those_of_the_media_layer_in_order_and_cached(tmp_path: Path) -> None:
    shards = open_shards(make_shards(tmp_path / "shards"))
    reader = TileReader(shards)
    sample = next(sample for sample in shards if len(sample.images) == 2)
    tiles = reader.tiles(sample)
    expected = [
        cut_tiles(open_rgb(shards.read_media(shards.media(image.media))), TileGrid(1, 1, 1), tile_size_px=28)
        for image in sample.images
    ]
    assert tiles is not None
    np.testing.assert_array_equal(tiles, np.concatenate(expected))
    assert len(reader._cache) == 2
    np.testing.assert_array_equal(reader.tiles(sample), tiles)


def test_the_cache_forgets_the_oldest_image(tmp_path: Path) -> None:
    shards = open_shards(make_shards(tmp_path / "shards"))
    reader = TileReader(shards, cache_bytes=28 * 28 * 3)
    sample = next(sample for sample in shards if len(sample.images) == 2)
    reader.tiles(sample)
    assert [key[0] for key in reader._cache] == [sample.images[1].media]
    assert reader._held_bytes == 28 * 28 * 3


def test_a_broken_image_names_the_row(tmp_path: Path) -> None:
    broken = make_media()
    broken = Media(broken.hash, b"not an image", "a.png", 12, None, "png", 40, 30)
    shards = open_shards(make_shards(tmp_path / "shards", [make_sample(7, images=[0])], [broken]))
    with pytest.raises(SampleError, match=r"^rows\.jsonl:7: "):
        TileReader(shards).tiles(shards[0])


def test_frames_of_a_linked_video_are_read_from_the_file(tmp_path: Path, goldens: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    video = folder / "v8.mp4"
    video.write_bytes((goldens / "videos" / "v8.mp4").read_bytes())
    status = video.stat()
    media = Media(None, None, "v8.mp4", status.st_size, status.st_mtime_ns, "mp4", 64, 48)
    frames = tuple(SampleImage(0, 64, 48, 1, 1, 1, "frame", 0, index) for index in (1, 5))
    base = make_sample(1, images=[0, 0])
    sample = Sample(**{n: getattr(base, n) for n in Sample.__slots__ if n != "images"}, images=frames)
    shards = open_shards(make_shards(folder, [sample], [media]))
    tiles = TileReader(shards).tiles(shards[0])
    expected = [
        cut_tiles(Image.fromarray(frame), TileGrid(1, 1, 1), tile_size_px=28) for frame in read_frames(video, [1, 5])
    ]
    np.testing.assert_array_equal(tiles, np.concatenate(expected))


def test_pixels_are_normalised_with_the_imagenet_numbers() -> None:
    tiles = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 1, 1, 3).expand(1, 2, 2, 3)
    pixels = normalise_tiles(tiles, torch.float32)
    assert pixels.shape == (1, 3, 2, 2)
    expected = [(0 / 255 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (255 / 255 - 0.406) / 0.225]
    torch.testing.assert_close(pixels[0, :, 0, 0], torch.tensor(expected))
    assert normalise_tiles(tiles, torch.bfloat16).dtype == torch.bfloat16


def test_ids_that_do_not_fit_tiles_or_vocabulary_name_the_row() -> None:
    sample = make_sample(3, images=[0])
    check_sample(sample, context_token_id=9, tokens_per_tile=4, vocab_size=128)
    with pytest.raises(SampleError, match=r"rows\.jsonl:3: 4 image context tokens, but its tiles need 16"):
        check_sample(sample, context_token_id=9, tokens_per_tile=16, vocab_size=128)
    with pytest.raises(SampleError, match="vocabulary has 12 ids"):
        check_sample(sample, context_token_id=9, tokens_per_tile=4, vocab_size=12)
