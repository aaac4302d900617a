"""Ids and labels of many rows as flat arrays, first with each run of context tokens as one number.

An image is thousands of equal context tokens. Until a shard is written they are kept as one negative number, the
length of the run, so that parts are small and rows are put together by a few vectorised steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataprep.layouts import Layout
from dataprep.loss_masks import keep_last_answers
from dataprep.shards.format import LOSS_ANSWERS, LOSS_LAST_ANSWER
from dataprep.templates import IGNORE_INDEX, Slot, Template
from dataprep.tokenization import TextTokenizer


@dataclass(frozen=True, slots=True)
class TokenColumns:
    """Ids and labels of consecutive rows.

    Attributes:
        ids: int32; ``-n`` stands for n context tokens.
        labels: int32, as long as ``ids``.
        offsets: int64, shape (rows + 1,): where each row begins in ``ids``.
        lengths: int64, shape (rows,): tokens of each row, context tokens counted one by one.
        trained: int64, shape (rows,): positions that carry loss.
    """

    ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    trained: NDArray[np.int64]


def join_rows(
    rows: Sequence[tuple[Layout, Sequence[NDArray[np.int32]]]],
    *,
    tokenizer: TextTokenizer,
    template: Template,
    tokens_per_tile: int,
    loss_mask: str = LOSS_ANSWERS,
) -> TokenColumns:
    """Put rows together from their layouts and the ids of their texts; see ``tokenization.assemble``."""
    bos = None if tokenizer.bos_id is None else np.array([tokenizer.bos_id], dtype=np.int32)
    end_ids = tokenizer.encode_many([template.end])[0]
    runs: list[NDArray[np.int32]] = []
    is_trained: list[bool] = []
    after_answers: list[int] = []
    row_ends = [0]
    for layout, segments in rows:
        if bos is not None:
            runs.append(bos)
            is_trained.append(False)
        texts, slots, follows_answer = iter(segments), iter(layout.slot_tokens(tokens_per_tile)), False
        for part in layout.parts:
            if isinstance(part, Slot):
                runs.append(np.array([-next(slots)], dtype=np.int32))
                is_trained.append(False)
                follows_answer = False
                continue
            if follows_answer and not part.is_trained:
                after_answers.append(len(runs))
            runs.append(next(texts))
            is_trained.append(part.is_trained)
            follows_answer = part.is_trained
        row_ends.append(len(runs))
    ids = np.concatenate(runs) if runs else np.zeros(0, dtype=np.int32)
    starts = _ends(np.fromiter(map(len, runs), dtype=np.int64, count=len(runs)))
    labels = np.full(len(ids), IGNORE_INDEX, dtype=np.int32)
    mask = np.repeat(np.array(is_trained, dtype=bool), np.diff(starts))
    labels[mask] = ids[mask]
    for number in after_answers:  # the end of an earlier answer is trained, though tokenized with what follows
        labels[starts[number] : starts[number] + len(end_ids)] = end_ids
    offsets = starts[row_ends]
    if loss_mask == LOSS_LAST_ANSWER:
        labels = keep_last_answers(labels, offsets)
    lengths = np.diff(_ends(run_lengths(ids))[offsets])
    trained = np.diff(_ends((labels != IGNORE_INDEX).astype(np.int64))[offsets])
    return TokenColumns(ids, labels, offsets, lengths, trained)


def _ends(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    ends = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=ends[1:])
    return ends


def run_lengths(ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return for how many tokens each number stands."""
    return np.where(ids < 0, -ids, 1).astype(np.int64)


def expand_runs(
    ids: NDArray[np.int32], labels: NDArray[np.int32], offsets: NDArray[np.int64], *, context_id: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return ids, labels and offsets with every context token written out.

    Args:
        ids: As of :class:`TokenColumns`.
        labels: As of :class:`TokenColumns`.
        offsets: As of :class:`TokenColumns`; the first is 0.
        context_id: Id of the context token.
    """
    places = np.flatnonzero(ids < 0)
    if not len(places):
        return ids, labels, offsets
    counts = run_lengths(ids)
    total = int(counts.sum())
    # Written as stretches: few, and long.
    full_ids = np.full(total, context_id, dtype=np.int32)
    full_labels = np.full(total, IGNORE_INDEX, dtype=np.int32)
    shift = _ends(counts)
    start = 0
    for place in [*places.tolist(), len(ids)]:
        at = int(shift[start])
        full_ids[at : at + place - start] = ids[start:place]
        full_labels[at : at + place - start] = labels[start:place]
        start = place + 1
    return full_ids, full_labels, shift[offsets]
