"""Small valid things that tests of every part can ask for. Nothing here reads data from outside the test."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from dataprep.shards.format import (
    LEDGER_NAME,
    LEDGER_SCHEMA,
    MEDIA_SCHEMA,
    REJECTS_NAME,
    SAMPLES_SCHEMA,
    content_hash,
    media_name,
    samples_name,
)
from dataprep.shards.manifest import (
    FileEntry,
    Fingerprints,
    LedgerTotals,
    Manifest,
    MediaShard,
    SampleShard,
    SourceEntry,
    SplitTotals,
    length_stats,
    read_manifest,
    write_manifest,
)
from dataprep.shards.samples import LedgerRow, Media, Reject, RejectFinding, Sample, SampleBox, SampleImage
from dataprep.shards.writer import ledger_batch, media_batch, samples_batch, write_arrow, write_rejects

SOURCE = "rows.jsonl"
CONTEXT_TOKEN_ID = 9
TOKENS_PER_TILE = 4


def make_media(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (40, 30)) -> Media:
    """Embedded PNG of one colour, (width, height) pixels."""
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, "PNG")
    data = stream.getvalue()
    return Media(content_hash(data), data, "a.png", len(data), None, "png", *size)


def make_sample(line: int, *, images: Sequence[int] = (), split: str = "train", text_tokens: int = 6) -> Sample:
    """Sample of source line ``line``: context tokens of its images (media numbers), then text, half trained."""
    context = [CONTEXT_TOKEN_ID] * (len(images) * TOKENS_PER_TILE)
    text = [10 + (line + i) % 80 for i in range(text_tokens)]
    input_ids = np.array([*context, *text], dtype=np.int32)
    labels = input_ids.copy()
    labels[: len(context) + text_tokens // 2] = -100
    return Sample(
        input_ids=input_ids,
        labels=labels,
        images=tuple(SampleImage(number, 40, 30, 1, 1, 1) for number in images),
        prompt=f"question {line}",
        response=f"answer {line} \u00e9",
        boxes=(SampleBox("cat", 0.25, 0.5, 0.75, 1.0),) if images else (),
        source_file=SOURCE,
        source_line=line,
        row_hash=content_hash(str(line).encode()),
        split=split,
    )


def default_samples() -> list[Sample]:
    """Two text rows and two rows with images for ``train``, one of each for ``val``."""
    train = [make_sample(1), make_sample(2, images=[0]), make_sample(3, images=[1, 0]), make_sample(4, text_tokens=20)]
    return [*train, make_sample(5, split="val"), make_sample(6, images=[1], split="val")]


def make_shards(
    path: Path,
    samples: Sequence[Sample] | None = None,
    media: Sequence[Media] | None = None,
    *,
    rejects: int = 1,
    rows_per_shard: int = 3,
    changes: dict[str, object] | None = None,
) -> Path:
    """Write a small valid shard directory.

    Args:
        path: Folder to make.
        samples: Rows of ``SOURCE``, grouped by split; ``make_sample`` makes them.
        media: Embedded media, or linked ones if the first has no bytes.
        rejects: How many rejected rows to add at the end of the source.
        rows_per_shard: Most rows of a samples shard.
        changes: Manifest fields to set, such as ``context_token_id``.

    Returns:
        The folder.
    """
    samples = default_samples() if samples is None else samples
    media = [make_media(), make_media((30, 30, 200))] if media is None else media
    path.mkdir(parents=True, exist_ok=True)
    sample_shards, ledger = _write_samples(path, samples, rows_per_shard)
    media_file = write_arrow(path / media_name(0), MEDIA_SCHEMA, [media_batch(media)])
    rejected = [_reject(len(samples) + 1 + i) for i in range(rejects)]
    rejects_file = write_rejects(path / REJECTS_NAME, rejected)
    ledger += [LedgerRow(SOURCE, row.source_line, row.row_hash, "rejected", ("P001",)) for row in rejected]
    ledger_file = write_arrow(path / LEDGER_NAME, LEDGER_SCHEMA, [ledger_batch(ledger)])
    link = bool(media) and media[0].bytes is None
    manifest = Manifest(
        tool_version="0.1.0",
        sources=(SourceEntry(path=SOURCE, sha256="0" * 64, bytes=1000, rows=len(ledger), split="train"),),
        source_root=".",
        model_type="internvl2-8b",
        template="internvl2",
        tile_size_px=28,
        tokens_per_tile=TOKENS_PER_TILE,
        max_num=12,
        max_length=4096,
        truncation="reject",
        box_style="swift",
        box_family="internvl2",
        exif="ignore",
        media_mode="link" if link else "embed",
        media_root="." if link else None,
        system=None,
        video_frames=8,
        special_text="reject",
        missing_image_tag="last",
        eos_token_id=2,
        context_token_id=CONTEXT_TOKEN_ID,
        pad_token_id=0,
        fingerprints=Fingerprints(tokenizer="t", template="m", tiling="i", boxes="b", labels="l", system="s", all="a"),
        splits=_split_totals(sample_shards),
        sample_shards=tuple(sample_shards),
        media_shards=(
            MediaShard(file=media_file.file, rows=media_file.rows, bytes=media_file.bytes, sha256=media_file.sha256),
        ),
        files={file.file: FileEntry(bytes=file.bytes, sha256=file.sha256) for file in (ledger_file, rejects_file)},
        lengths=length_stats([len(sample.input_ids) for sample in samples]),
        ledger=LedgerTotals(
            rows_in=len(ledger),
            converted=len(samples),
            repaired=0,
            rejected=rejects,
            duplicate=0,
            by_code={"P001": rejects} if rejects else {},
        ),
    )
    write_manifest(path, replace(manifest, **(changes or {})))  # type: ignore[arg-type]
    return path


def reseal(path: Path, name: str) -> None:
    """Write a changed file's size and hash into the manifest, so that only its content is wrong."""
    manifest = read_manifest(path)
    data = (path / name).read_bytes()
    changed = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    fixed = replace(
        manifest,
        sample_shards=tuple(replace(e, **changed) if e.file == name else e for e in manifest.sample_shards),
        media_shards=tuple(replace(e, **changed) if e.file == name else e for e in manifest.media_shards),
        files={key: FileEntry(**changed) if key == name else entry for key, entry in manifest.files.items()},
    )
    write_manifest(path, fixed)


def write_nulls(file: Path) -> None:
    """Rewrite a samples file with a null ``length`` in its first row, past the writer's own check."""
    rows = pa.ipc.open_file(pa.BufferReader(file.read_bytes())).read_all().to_pylist()
    rows[0]["length"] = None
    with pa.ipc.new_file(str(file), SAMPLES_SCHEMA) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist(rows, SAMPLES_SCHEMA))


def _reject(line: int) -> Reject:
    finding = RejectFinding("P001", "", "not JSON")
    return Reject(SOURCE, line, content_hash(str(line).encode()), (finding,), b'{"query": ' + str(line).encode())


def _write_samples(
    path: Path, samples: Sequence[Sample], rows_per_shard: int
) -> tuple[list[SampleShard], list[LedgerRow]]:
    shards: list[SampleShard] = []
    ledger: list[LedgerRow] = []
    for split, group in groupby(samples, lambda sample: sample.split):
        rows = list(group)
        for part in (rows[i : i + rows_per_shard] for i in range(0, len(rows), rows_per_shard)):
            file = write_arrow(path / samples_name(len(shards)), SAMPLES_SCHEMA, [samples_batch(part)])
            ledger += [
                LedgerRow(row.source_file, row.source_line, row.row_hash, "converted", (), split, len(shards), i)
                for i, row in enumerate(part)
            ]
            shards.append(
                SampleShard(
                    file=file.file,
                    split=split,
                    rows=file.rows,
                    tokens=sum(len(row.input_ids) for row in part),
                    trained_tokens=sum(int((row.labels != -100).sum()) for row in part),
                    tiles=sum(image.tiles for row in part for image in row.images),
                    bytes=file.bytes,
                    sha256=file.sha256,
                )
            )
    return shards, ledger


def _split_totals(shards: Sequence[SampleShard]) -> dict[str, SplitTotals]:
    return {
        split: SplitTotals(
            rows=sum(shard.rows for shard in shards if shard.split == split),
            tokens=sum(shard.tokens for shard in shards if shard.split == split),
            trained_tokens=sum(shard.trained_tokens for shard in shards if shard.split == split),
            tiles=sum(shard.tiles for shard in shards if shard.split == split),
            shards=sum(shard.split == split for shard in shards),
        )
        for split in {shard.split: None for shard in shards}
    }


def make_chat_sample(
    model_dir: Path, line: int, query: str, response: str, *, images: Sequence[int] = (), split: str = "train"
) -> Sample:
    """Encode one question and its answer as conversion does, without a system prompt.

    Args:
        model_dir: Folder with tokenizer and, for the tile settings, ``config.json``.
        line: Source line.
        query: Question, with ``<image>`` for each image.
        response: Answer.
        images: Media numbers of 28x28 images.
        split: Its split.
    """
    from dataprep.encode import make_encoder
    from dataprep.findings import Location
    from dataprep.layouts import lay_out
    from dataprep.records import Record, Turn
    from dataprep.tiling import ImageSize

    encoder = make_encoder("internvl2-1b", model_dir)
    record = Record(location=Location(SOURCE, line), row_format="native", system="", turns=(Turn(query, response),))
    layout = lay_out(record, encoder.settings, image_sizes=[ImageSize(28, 28)] * len(images))
    encoded = encoder.encode([layout])[0]
    return Sample(
        input_ids=encoded.input_ids,
        labels=encoded.labels,
        images=tuple(SampleImage(number, 28, 28, 1, 1, 1) for number in images),
        prompt=layout.prompt,
        response=layout.response,
        boxes=(),
        source_file=SOURCE,
        source_line=line,
        row_hash=content_hash(str(line).encode()),
        split=split,
    )


def make_chat_shards(path: Path, model_dir: Path, samples: Sequence[Sample], media: Sequence[Media]) -> Path:
    """Write shards of ``make_chat_sample`` samples, whose manifest fits the model folder."""
    from dataprep.tokenization import load_tokenizer

    tokenizer = load_tokenizer(model_dir)
    fingerprints = Fingerprints(
        tokenizer=tokenizer.fingerprint, template="m", tiling="i", boxes="b", labels="l", system="s", all="a"
    )
    changes: dict[str, object] = {"context_token_id": tokenizer.context_id, "fingerprints": fingerprints}
    return make_shards(path, samples, media, changes=changes)


def make_tiny_model(
    path: Path,
    *,
    tokenizer_dir: Path | None = None,
    language: str = "qwen2",
    vocab_size: int = 128,
    context_token_id: int = CONTEXT_TOKEN_ID,
    hidden_size: int = 32,
    seed: int = 0,
) -> Path:
    """Write an untrained InternVL of a few thousand weights in the native layout, fit for what ``make_shards`` writes.

    Args:
        path: Folder to make.
        tokenizer_dir: Folder whose tokenizer goes along; it then decides about vocabulary and context token.
        language: Architecture of the language model: ``qwen2`` or ``llama``.
        vocab_size: Vocabulary without a tokenizer.
        context_token_id: Context token without a tokenizer.
        hidden_size: Width of both towers.
        seed: Of the weights.

    Returns:
        The folder.
    """
    from infer.model import ModelOptions, build_model

    if tokenizer_dir is not None:
        from dataprep.tokenization import load_tokenizer

        tokenizer = load_tokenizer(tokenizer_dir)
        vocab_size, context_token_id = tokenizer.vocab_size, tokenizer.context_id
    width = {"hidden_size": hidden_size, "intermediate_size": 2 * hidden_size, "num_attention_heads": 4}
    vision = {"num_hidden_layers": 2, "image_size": [28, 28], "patch_size": [7, 7], **width}
    text = {
        "model_type": language,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "vocab_size": vocab_size,
        "max_position_embeddings": 1024,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "tie_word_embeddings": False,
        **width,
    }
    config = {
        "vision_config": vision,
        "text_config": text,
        "image_token_id": context_token_id,
        "image_seq_length": TOKENS_PER_TILE,
        "downsample_ratio": 0.5,
        "tie_word_embeddings": False,
    }
    model = build_model(config, ModelOptions(device="cpu", dtype="float32"), seed=seed)
    model.save_pretrained(path)
    for source in sorted(tokenizer_dir.glob("*.json")) if tokenizer_dir is not None else []:
        (path / source.name).write_bytes(source.read_bytes())
    return path
