"""Rows keep their split whatever is added, no medium is in two splits, and near pictures count as one."""

from __future__ import annotations

import hashlib
import random
from itertools import combinations

import pytest

from dataprep.near_pictures import NearPictures
from dataprep.split_sides import BRIDGE, RowKeys, SplitSides

SHARES = (("val", 0.2), ("test", 0.2))


def digest(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()[:16]


def flip(picture: int, rng: random.Random, count: int) -> int:
    for bit in rng.sample(range(64), count):
        picture ^= 1 << bit
    return picture


def random_rows(rng: random.Random, count: int) -> list[RowKeys]:
    """Rows of one to three media out of few, so that they share them, and of pictures near to one another."""
    originals = [rng.getrandbits(64) for _ in range(40)]
    copies = [flip(rng.choice(originals), rng, rng.randint(0, 5)) for _ in range(120)]
    rows = []
    for _ in range(count):
        chosen = rng.sample(range(120), rng.choice((1, 1, 1, 2, 3)))
        videos = (b"video:%d" % rng.randrange(30),) if rng.random() < 0.1 else ()
        rows.append(RowKeys(tuple(digest(n) for n in chosen), tuple(copies[n] for n in chosen), videos))
    return rows


def place(rows: list[RowKeys]) -> list[str]:
    return SplitSides(SHARES, rest="train").place_all(rows)


def is_near(one: RowKeys, other: RowKeys) -> bool:
    return any((a ^ b).bit_count() <= 6 for a in one.pictures for b in other.pictures)


@pytest.mark.parametrize("seed", range(20))
def test_rows_added_in_batches_move_no_row_and_leak_nothing(seed: int) -> None:
    rng = random.Random(seed)
    rows = random_rows(rng, 150)
    ends = sorted({*rng.sample(range(1, 150), 6), 150})
    before: list[str] = []
    for end in ends:
        splits = place(rows[:end])
        assert splits[: len(before)] == before
        before = splits
    assert {"train", "val", "test"} <= set(before)
    placed = [(row, split) for row, split in zip(rows, before, strict=True) if BRIDGE not in split]
    for (one, ours), (other, theirs) in combinations(placed, 2):
        shares = {*one.digests, *one.videos} & {*other.digests, *other.videos}
        assert ours == theirs or not (shares or is_near(one, other))


def test_rows_that_share_nothing_are_placed_by_content_in_any_order() -> None:
    rng = random.Random(3)
    rows = [RowKeys((digest(n), digest(1000 + n)), (rng.getrandbits(64),)) for n in range(300)]
    splits = dict(zip(rows, place(rows), strict=True))
    rng.shuffle(rows)
    assert place(rows) == [splits[row] for row in rows]
    counts = {name: list(splits.values()).count(name) for name in ("train", "val", "test")}
    assert counts["train"] > 140
    assert 30 < counts["val"] < 90
    assert 30 < counts["test"] < 90


def test_another_split_leaves_the_first_as_it_was() -> None:
    rows = [RowKeys((digest(n),)) for n in range(200)]
    one = SplitSides(SHARES[:1], rest="train").place_all(rows)
    both = place(rows)
    assert [split == "val" for split in one] == [split == "val" for split in both]


def test_a_row_between_two_splits_bridges_them_and_moves_neither() -> None:
    rows = [RowKeys((digest(n),)) for n in range(100)]
    splits = place(rows)
    val, train = rows[splits.index("val")], rows[splits.index("train")]
    bridge = RowKeys(val.digests + train.digests)
    assert place([*rows, bridge, bridge]) == [*splits, "train+val", "train+val"]


def test_declared_rows_come_first_and_take_their_media_along() -> None:
    rows = [RowKeys((digest(n),)) for n in range(50)]
    declared = [row._replace(split="held-out") for row in rows]
    assert set(place([*rows, *declared])) == {"held-out"}
    leaking = [rows[0]._replace(split="one"), rows[0]._replace(split="two"), rows[0]]
    assert place(leaking) == ["one", "two", "one+two"]


def test_a_row_of_several_media_is_not_drawn_more_often() -> None:
    rows = [RowKeys(tuple(digest(10 * n + k) for k in range(10))) for n in range(1000)]
    assert 150 < place(rows).count("val") < 250


def test_near_pictures_are_found_as_by_comparing_all() -> None:
    rng = random.Random(5)
    known = [rng.getrandbits(64) for _ in range(200)]
    near = NearPictures()
    for picture in known:
        near.add(picture)
    asked = [flip(rng.choice(known), rng, rng.randint(0, 12)) for _ in range(300)]
    expected = [any((one ^ other).bit_count() <= 6 for other in known) for one in asked]
    assert [near.has_near(picture) for picture in asked] == expected
    assert 50 < sum(expected) < 250
