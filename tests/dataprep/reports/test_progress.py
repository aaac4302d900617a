"""Progress is for terminals: on standard error, with a rate, and silent where nobody watches."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from dataprep.reports import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal would be sent."""
    stream = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return stream


def test_nothing_is_printed_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with progress.count_rows("rows checked") as advance:
        advance(5)
    with progress.count_stages() as tell:
        tell("rows", 1, 2)
    assert capfd.readouterr() == ("", "")


def test_rows_are_counted(terminal: io.StringIO) -> None:
    with progress.count_rows("rows checked") as advance:
        advance(2000)
        advance(345)
    assert "rows checked" in terminal.getvalue()
    assert "2,345" in terminal.getvalue()


def test_each_stage_has_its_bar(terminal: io.StringIO) -> None:
    with progress.count_stages() as tell:
        tell("rows", 500, 1000)
        tell("rows", 1000, 1000)
        tell("media shards", 1, 4)
    text = terminal.getvalue()
    assert "rows" in text
    assert "media shards" in text
    assert "100 %" in text
    assert "25 %" in text


def test_the_rate_is_shown_once_it_is_known(terminal: io.StringIO) -> None:
    with progress.count_rows("rows checked") as advance:
        for _ in range(50):
            advance(1000)
    assert "/s" in terminal.getvalue()


def test_an_error_leaves_no_bar_behind(terminal: io.StringIO) -> None:
    def fail() -> None:
        with progress.count_rows("rows checked") as advance:
            advance(1)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert terminal.getvalue().endswith("\x1b[2K")
