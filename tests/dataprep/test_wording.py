from __future__ import annotations

import pytest

from dataprep.wording import counted, size_of


def test_a_plural_may_be_given() -> None:
    assert (counted(1, "entry", "entries"), counted(2, "entry", "entries")) == ("1 entry", "2 entries")


@pytest.mark.parametrize(("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1234, "1,234 rows")])
def test_one_is_singular(number: int, text: str) -> None:
    assert counted(number, "row") == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 KB"),
        (999_950, "1.0 MB"),
        (1_234_567_890, "1.2 GB"),
        (5e15, "5,000.0 TB"),
    ],
)
def test_a_size_has_the_unit_that_fits(number: float, text: str) -> None:
    assert size_of(int(number)) == text
