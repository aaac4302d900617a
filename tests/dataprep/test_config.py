"""Options are refused where they are given, with the value and what was expected."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dataprep.config import ConvertConfig, LintConfig, ReportConfig, RowConfig
from dataprep.errors import ConfigError

CHOICES = {
    "box_style": "swift",
    "missing_image_tag": "last",
    "special_text": "reject",
    "exif": "ignore",
    "media": "embed",
    "on_bad": "error",
}


def test_defaults_are_those_of_the_specification() -> None:
    config = ConvertConfig()
    assert {name: getattr(config, name) for name in CHOICES} == CHOICES
    assert (config.max_length, config.max_num, config.video_frames) == (4096, None, 8)
    assert (config.max_bad_ratio, config.jobs, config.val) == (0.05, 1, ())
    assert not any([config.allow_urls, config.allow_private_urls, config.allow_outside_root])


@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_choice_is_refused(name: str) -> None:
    option = f"--{name.replace('_', '-')}"
    with pytest.raises(ConfigError, match=f"{option} is 'sometimes', expected {CHOICES[name]} or"):
        ConvertConfig(**{name: "sometimes"})


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("format", "xml", "--format is 'xml', expected text, concise, json"),
        ("fail_on", "note", "--fail-on is 'note', expected error, warning, info, never"),
    ],
)
def test_an_unknown_report_is_refused(option: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ReportConfig(**{option: value})


@pytest.mark.parametrize("name", ["max_findings", "sample", "jobs"])
def test_counts_below_one_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')} is 0, it must be at least 1"):
        LintConfig(**{name: 0})


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="--level is 5, expected 0, 1, 2, 3 or 4"):
        LintConfig(level=5)


@pytest.mark.parametrize("ratio", [-0.1, 1.01, float("nan")])
def test_a_ratio_outside_0_to_1_is_refused(ratio: float) -> None:
    with pytest.raises(ConfigError, match=f"--max-bad-ratio is {ratio}"):
        ConvertConfig(max_bad_ratio=ratio)


@pytest.mark.parametrize("length", [0, -1])
@pytest.mark.parametrize("config", [RowConfig, LintConfig, ConvertConfig])
def test_a_length_below_one_is_refused(config: type[RowConfig], length: int) -> None:
    with pytest.raises(ConfigError, match=f"--max-length is {length}"):
        config(max_length=length)


def test_a_media_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    assert RowConfig(media_root=tmp_path).media_root == tmp_path
    with pytest.raises(ConfigError, match="gone is no folder"):
        RowConfig(media_root=tmp_path / "gone")


@pytest.mark.parametrize("split", ["val", "val=", "val=0", "val=1", "val=x", "=0.1", "train=0.1", "a b=0.1", "val=nan"])
def test_a_split_must_be_name_and_share(split: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a name and a share such as val=0\.01"):
        ConvertConfig(split=split)


def test_a_split_is_read() -> None:
    assert ConvertConfig(split="val=0.25").parse_splits() == (("val", 0.25),)
    assert ConvertConfig(split=("val=0.25", "test=0.5")).parse_splits() == (("val", 0.25), ("test", 0.5))
    assert ConvertConfig().parse_splits() == ()


@pytest.mark.parametrize(
    ("splits", "says"), [(("val=0.1", "val=0.2"), "val twice"), (("val=0.5", "test=0.5"), "up to 1")]
)
def test_splits_must_leave_something_and_differ(splits: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ConvertConfig(split=splits)


def test_configs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        LintConfig().jobs = 2  # type: ignore[misc]


def test_split_like_needs_a_split() -> None:
    with pytest.raises(ConfigError, match="add the --split"):
        ConvertConfig(split_like=Path("shards"))
