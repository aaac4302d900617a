"""Rows that are drawn from data files: which, how often, and that each is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from dataprep import convert, ledger, verify
from dataprep.config import ConvertConfig
from dataprep.errors import ConfigError
from dataprep.inputs import split_sample
from dataprep.mixing import read_mix
from dataprep.sampling import draw_rows
from dataprep.shards.manifest import read_manifest
from dataprep.shards.stories import why
from dataprep.updating import append, update
from tests.dataprep.conversions import make_options, read_files, read_ledger, text_row, write_rows

pytestmark = pytest.mark.usefixtures("small_chunks_and_shards")
Call = Callable[..., tuple[int, str, str]]


def write_texts(path: Path, count: int, first: int = 0) -> str:
    return write_rows(path, [text_row(number) for number in range(first, first + count)])


def lines_by_outcome(out: Path, outcome: str) -> list[int]:
    return [row["source_line"] for row in read_ledger(out) if row["outcome"] == outcome]


def test_some_rows_are_drawn_by_their_content(tmp_path: Path) -> None:
    source = write_texts(tmp_path / "a.jsonl", 30)
    manifest = convert([f"{source}#12"], tmp_path / "out", make_options())
    drawn = lines_by_outcome(tmp_path / "out", "converted")
    assert drawn == [row.location.line for row in draw_rows([source], 12).rows]
    assert sorted(drawn + lines_by_outcome(tmp_path / "out", "unsampled")) == list(range(1, 31))
    assert (manifest.ledger.converted, manifest.ledger.unsampled, manifest.ledger.rows_in) == (12, 18, 30)
    assert manifest.sources[0].sample == 12
    assert verify(tmp_path / "out").ok
    assert ledger(tmp_path / "out").ok
    (story,) = why(tmp_path / "out", f"a.jsonl:{lines_by_outcome(tmp_path / 'out', 'unsampled')[0]}")
    assert (story.entry.outcome, story.sample) == ("unsampled", None)


def test_added_rows_put_only_as_many_others_out(tmp_path: Path) -> None:
    source = write_texts(tmp_path / "a.jsonl", 30)
    convert([f"{source}#12"], tmp_path / "before", make_options())
    write_texts(tmp_path / "a.jsonl", 33)
    convert([f"{source}#12"], tmp_path / "after", make_options())
    before, after = (set(lines_by_outcome(tmp_path / name, "converted")) for name in ("before", "after"))
    assert before - after <= before
    assert len(before - after) == len(after - before) <= 3
    assert after - before <= {31, 32, 33}


def test_more_rows_than_there_are_repeats_them(tmp_path: Path) -> None:
    source = write_texts(tmp_path / "a.jsonl", 10)
    manifest = convert([f"{source}#25"], tmp_path / "out", make_options(split="val=0.4"))
    entries = read_ledger(tmp_path / "out")
    times = Counter(row["source_line"] for row in entries)
    assert len(entries) == manifest.ledger.rows_in == manifest.ledger.converted == manifest.sources[0].rows == 25
    assert sorted(times.values()) == [2] * 5 + [3] * 5
    assert all(len({row["split"] for row in entries if row["source_line"] == line}) == 1 for line in times)
    assert verify(tmp_path / "out").ok
    assert len(why(tmp_path / "out", "a.jsonl:1")) == times[1]


def test_bad_rows_count_where_they_are_drawn(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "a.jsonl", ['{"cut', *(text_row(number) for number in range(9))])
    options = make_options(on_bad="skip", max_bad_ratio=0.5)
    convert([f"{source}#20"], tmp_path / "out", options)
    assert len(lines_by_outcome(tmp_path / "out", "rejected")) == 2
    assert verify(tmp_path / "out").ok


def test_a_name_with_a_number_sign_is_a_name(tmp_path: Path) -> None:
    write_texts(tmp_path / "a.jsonl#5", 8)
    write_texts(tmp_path / "a.jsonl", 20)
    assert split_sample(str(tmp_path / "a.jsonl#5")) == (str(tmp_path / "a.jsonl#5"), None)
    assert split_sample(str(tmp_path / "a.jsonl#5#3")) == (str(tmp_path / "a.jsonl#5"), 3)
    assert split_sample(str(tmp_path / "a.jsonl#6")) == (str(tmp_path / "a.jsonl"), 6)
    assert convert([str(tmp_path / "a.jsonl#5#3")], tmp_path / "out", make_options()).ledger.converted == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.jsonl#0", "takes 0 rows"), (".#3", "is a folder"), ("none.jsonl#3", "no such file")],
)
def test_what_cannot_be_drawn_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_texts(Path("a.jsonl"), 3)
    with pytest.raises(Exception, match=words):
        convert([name], "out", make_options())


def test_weights_take_shares_and_multiples(tmp_path: Path) -> None:
    first, second = write_texts(tmp_path / "a.jsonl", 20), write_texts(tmp_path / "b.jsonl", 8, first=100)
    manifest = convert([first], tmp_path / "out", make_options(mix=((first, 0.25), (second, 2.5))))
    told = {source.path: (source.rows, source.weight) for source in manifest.sources}
    assert told == {"a.jsonl": (20, 0.25), "b.jsonl": (20, 2.5)}
    assert (manifest.ledger.converted, manifest.ledger.unsampled) == (5 + 20, 15)
    assert verify(tmp_path / "out").ok


def test_drawn_rows_are_updated_and_appended_to(tmp_path: Path) -> None:
    first, second = write_texts(tmp_path / "a.jsonl", 20), write_texts(tmp_path / "b.jsonl", 8, first=100)
    options = make_options(mix=((second, 2.0),))
    convert([f"{first}#10"], tmp_path / "out", options)
    assert append([], tmp_path / "out", make_options()).is_unchanged
    assert not update([f"{first}#11"], tmp_path / "out", options).is_unchanged
    write_texts(tmp_path / "b.jsonl", 9, first=100)
    done = append([], tmp_path / "out", make_options())
    convert([f"{first}#11"], tmp_path / "fresh", options)
    assert read_files(tmp_path / "out") == read_files(tmp_path / "fresh")
    assert (done.num_taken, done.num_encoded) == (11 + 16, 2)


def test_weights_come_from_a_table(tmp_path: Path) -> None:
    (tmp_path / "mix.toml").write_text('"a.jsonl" = 2\n"b.jsonl" = 0.5\n')
    (tmp_path / "mix.json").write_text('{"c.jsonl": 3}')
    texts = [str(tmp_path / "mix.toml"), str(tmp_path / "mix.json"), "d=e.jsonl=4"]
    assert read_mix(texts) == (
        (str(tmp_path / "a.jsonl"), 2.0), (str(tmp_path / "b.jsonl"), 0.5), (str(tmp_path / "c.jsonl"), 3.0),
        ("d=e.jsonl", 4.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.jsonl", "neither FILE=WEIGHT nor"), ("a.jsonl=much", "a weight is a number"),
        ("list.json", "holds no table"), ("cut.toml", "cannot be read as a table"),
        ("true.json", "a weight is a number"),
    ],
)  # fmt: skip
def test_what_is_no_weight_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text("[1]")
    Path("cut.toml").write_text("a = ")
    Path("true.json").write_text('{"a.jsonl": true}')
    with pytest.raises(ConfigError, match=words):
        read_mix([text])


def test_odd_weights_are_refused(tmp_path: Path) -> None:
    source = write_texts(tmp_path / "a.jsonl", 3)
    for weight in (0.0, -1.0, 1001.0, float("nan")):
        with pytest.raises(ConfigError, match="more than 0 and at most"):
            ConvertConfig(mix=((source, weight),))
    with pytest.raises(ConfigError, match="both a number of rows"):
        convert([f"{source}#2"], tmp_path / "out", make_options(mix=((source, 2.0),)))
    with pytest.raises(ConfigError, match="none of the rows is taken"):
        convert([source], tmp_path / "out", make_options(mix=((source, 0.01),)))
    with pytest.raises(ConfigError, match="no data file is named"):
        convert([], tmp_path / "out", make_options())


def test_the_command_updates_and_appends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.chdir(tmp_path)
    write_texts(Path("a.jsonl"), 20)
    write_texts(Path("b.jsonl"), 3, first=100)
    model = make_options().model
    code, out, _ = call(
        "convert", "a.jsonl#10", "--out", "s", "--for", "internvl2-1b", "--model", model, "--max-length", 999
    )
    assert (code, "+ 10 unsampled" in out) == (0, True)
    code, out, _ = call("convert", "--out", "s", "--update", "--model", model)
    assert (code, out) == (0, "s is up to date: none of its 20 rows has changed\n")
    code, out, _ = call("convert", "--out", "s", "--append", "b.jsonl", "--model", model)
    assert (code, out.splitlines()[0]) == (
        0,
        "10 of 23 rows taken over, 3 encoded, 10 neither (rejected before that, or not drawn)",
    )
    assert read_manifest(Path("s")).max_length == 999
    code, _, err = call("convert", "--out", "s", "--append", "b.jsonl", "--model", model, "--max-length", 4096)
    assert (code, "--max-length is 4096, they were made with 999" in err) == (2, True)
    code, out, _ = call("convert", "--out", "s", "--update", "--model", model, "--format", "json")
    assert '"up_to_date": true' in out
    code, out, _ = call("ledger", "s")
    assert out.startswith("23 rows in = 13 converted + 0 repaired + 0 rejected + 0 duplicate + 10 unsampled\n")
    code, out, _ = call("ledger", "s", "--outcome", "unsampled")
    assert len(out.splitlines()) == 10
