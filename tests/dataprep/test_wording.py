from __future__ import annotations

import pytest

from dataprep.wording import counted


def test_a_plural_may_be_given() -> None:
    assert (counted(1, "entry", "entries"), counted(2, "entry", "entries")) == ("1 entry", "2 entries")


@pytest.mark.parametrize(("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1234, "1,234 rows")])
def test_one_is_singular(number: int, text: str) -> None:
    assert counted(number, "row") == text
