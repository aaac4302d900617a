"""Which tokens carry loss, worked out from ids and labels alone, for many rows at once.

``answers``: every answer and its end token, as the reference trains. ``last-answer``: the last answer of each row and
its end token. Ids are the same under either: text is cut into segments without regard to the mask. Rows are flat
arrays; ``offsets`` says where each begins. Conversion and remasking call the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataprep.errors import ShardError
from dataprep.templates import IGNORE_INDEX

if TYPE_CHECKING:
    # The command line loads this module, but numpy only once there are labels.
    import numpy as np
    from numpy.typing import NDArray


def keep_last_answers(labels: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return labels with the last run of trained tokens of each row alone.

    Between two answers stands the start of a query, which is never trained, so that runs and answers are the same.

    Args:
        labels: int32, of all rows one after another.
        offsets: int64, shape (rows + 1,): where each row begins; the first is 0.
    """
    import numpy as np

    is_trained = labels != IGNORE_INDEX
    begins = is_trained.copy()
    begins[1:] &= ~is_trained[:-1]
    row_starts = offsets[:-1][np.diff(offsets) > 0]
    begins[row_starts] = is_trained[row_starts]
    places = np.flatnonzero(begins)
    # The last run that begins before the end of the row; of a row without any, one of a row before it: nothing is cut.
    last = np.searchsorted(places, offsets[1:]) - 1
    firsts = np.zeros(len(last), dtype=np.int64) if not len(places) else places[np.maximum(last, 0)]
    kept = labels.copy()
    kept[np.arange(len(labels)) < np.repeat(firsts, np.diff(offsets))] = IGNORE_INDEX
    return kept


def label_answers(
    ids: NDArray[np.int32], offsets: NDArray[np.int64], *, answer_start_ids: Sequence[int], end_id: int
) -> NDArray[np.int32]:
    """Return labels that train every answer with its end token.

    Args:
        ids: int32, of all rows one after another.
        offsets: int64, shape (rows + 1,): where each row begins; the first is 0.
        answer_start_ids: The ids between a query and its answer; they occur nowhere else.
        end_id: The id that ends an answer; it does not occur within one.

    Raises:
        ShardError: If an answer has no end.
    """
    import numpy as np

    size = len(answer_start_ids)
    is_start = np.zeros(len(ids), dtype=bool)
    if size <= len(ids):
        windows = np.lib.stride_tricks.sliding_window_view(ids, size)
        is_start[: len(windows)] = (windows == np.asarray(answer_start_ids, dtype=ids.dtype)).all(axis=1)
    starts = np.flatnonzero(is_start) + size
    row_ends = offsets[1:][np.searchsorted(offsets, starts - size, side="right") - 1]
    end_places = np.append(np.flatnonzero(ids == end_id), len(ids))
    ends = end_places[np.searchsorted(end_places, starts)]
    if (ends >= row_ends).any():
        raise ShardError("an answer has no end token; run 'dataprep verify', or convert the data again")
    steps = np.zeros(len(ids) + 1, dtype=np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, ends + 1, -1)
    is_trained = np.cumsum(steps)[:-1] > 0
    return np.where(is_trained, ids, np.int32(IGNORE_INDEX))
