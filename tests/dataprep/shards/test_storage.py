"""Places in stores."""

from __future__ import annotations

import pytest

from dataprep.shards.storage import _with_patience


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("gs://a/b", "gs://a/b?retry_limit_seconds=30"),
        ("gcs://a/b?anonymous=true", "gcs://a/b?anonymous=true&retry_limit_seconds=30"),
        ("gs://a/b?retry_limit_seconds=900", "gs://a/b?retry_limit_seconds=900"),
        ("s3://a/b", "s3://a/b"),
    ],
)
def test_a_store_that_does_not_answer_is_not_asked_for_a_quarter_of_an_hour(given: str, used: str) -> None:
    assert _with_patience(given) == used
