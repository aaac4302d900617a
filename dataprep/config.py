"""The options of lint and conversion, as frozen dataclasses whose fields bear the names of the options."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from dataprep.errors import ConfigError

_CHOICES = {
    "box_style": ("swift", "internvl"),
    "missing_image_tag": ("last", "first"),
    "special_text": ("reject", "keep"),
    "exif": ("ignore", "apply"),
    "truncation": ("reject", "error", "drop-turns", "fewer-tiles"),
    "media": ("embed", "link"),
    "on_bad": ("error", "skip"),
    "split_by": ("picture", "bytes"),
    "engine": ("local", "ray"),
    "loss_mask": ("answers", "last-answer"),
}
_SPLIT_NAME = re.compile("[a-z0-9_-]{1,64}")
FORMATS = ("text", "concise", "json", "jsonl", "github", "sarif", "junit", "html", "drops", "annotated")
"""Formats of a lint report."""
FAIL_ON = ("error", "warning", "info", "never")
"""Values of ``--fail-on``."""


MOST_WEIGHT = 1000


class FileRoot(NamedTuple):
    """A data file with a media root of its own, and the meta file that says so; None for a mended copy."""

    file: str
    root: Path
    meta: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RowConfig:
    """What a row means, and where its media lie."""

    model_type: str | None = None
    """One of the eleven model types; None checks only what holds for all of them."""
    model: Path | None = None
    """Folder with the model's tokenizer; None counts no tokens."""
    max_length: int = 4096
    """Most tokens of a sample, image tokens included."""
    truncation: str = "reject"
    """What becomes of a longer row: ``reject`` it, ``error`` ends a conversion; ``drop-turns`` leaves the oldest turns
    out, ``fewer-tiles`` gives its images fewer tiles, and each rejects rows that it cannot make fit."""
    max_num: int | None = None
    """Most tiles per image, thumbnail not counted; None takes the model type's own (12)."""
    media_root: Path | None = None
    """Folder that media paths are relative to; None is the folder of each data file."""
    media_roots: tuple[FileRoot, ...] = ()
    """Data files with a media root of their own, from meta files; the others have ``media_root``."""
    system: str | None = None
    """System prompt of rows that name none; None is the template's own, empty is none."""
    box_style: str = "swift"
    """``swift`` or ``internvl``: arithmetic and text of boxes."""
    missing_image_tag: str = "last"
    """``last`` or ``first``: the query before which missing tags are put."""
    special_text: str = "reject"
    """``reject`` or ``keep`` control tokens that are spelled out in the data."""
    exif: str = "ignore"
    """``ignore`` or ``apply`` the EXIF orientation of images."""
    video_frames: int = 8
    """Frames taken from each video."""
    media_timeout: int = 60
    """Seconds that reading one video may take; one that takes longer cannot be used."""
    allow_urls: bool = False
    """Fetch media given as http or https URLs."""
    allow_private_urls: bool = False
    """Fetch from private and loopback addresses too."""
    allow_outside_root: bool = False
    """Read media files that lie outside the media root."""
    cache: Path | None = None
    """Folder in which to remember media and reports; None is that of the user's caches."""
    no_cache: bool = False
    """Remember nothing, and use nothing that is remembered."""

    def __post_init__(self) -> None:
        check_choices(self)
        if self.max_length < 1:
            raise ConfigError(f"--max-length is {self.max_length}, it must be at least 1")
        for name in ("max_num", "video_frames", "media_timeout"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} is {value}, it must be at least 1")
        if self.media_root is not None and not self.media_root.is_dir():
            raise ConfigError(f"--media-root {self.media_root} is no folder; give the folder that media paths start at")


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleConfig:
    """Which rules run, and how much their findings matter. A selector is a code, the beginning of one, or a name."""

    select: tuple[str, ...] = ()
    """Selectors of the only rules to run; empty runs all."""
    extend_select: tuple[str, ...] = ()
    """Selectors of rules to run besides those."""
    ignore: tuple[str, ...] = ()
    """Selectors of rules not to run."""
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Pairs of a pattern of file names and the selectors of rules not to run on such files."""
    severities: tuple[tuple[str, str], ...] = ()
    """Pairs of a selector and ``error``, ``warning`` or ``info``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LintConfig(RowConfig):
    """How to lint."""

    level: int | None = None
    """0 to 4, a ladder of cost; None is 2, and the lengths of level 4 where ``model`` is given."""
    rules: RuleConfig = field(default_factory=RuleConfig)
    """Which rules run."""
    val: tuple[str, ...] = ()
    """Data files of the validation split, linted too and held against the others for leakage."""
    baseline: Path | None = None
    """File of accepted findings, which are not reported; None accepts none."""
    max_findings: int | None = None
    """Findings after which the run stops; None never stops."""
    sample: int | None = None
    """Rows to check, chosen by a hash of their text; None checks all."""
    contact_sheet: Path | None = None
    """Picture (.png or .jpg) to draw a sample of the boxes into; None draws none."""
    pack_length: int | None = None
    """Tokens of a pack, for the budget; None is ``max_length``."""
    jobs: int = 1
    """Number of worker processes."""

    def __post_init__(self) -> None:
        RowConfig.__post_init__(self)
        if self.level not in (None, 0, 1, 2, 3, 4):
            raise ConfigError(f"--level is {self.level}, expected 0, 1, 2, 3 or 4")
        for name in ("max_findings", "sample", "pack_length", "jobs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} is {value}, it must be at least 1")
        if self.contact_sheet is not None and self.contact_sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
            raise ConfigError(f"--contact-sheet is {self.contact_sheet}, expected a name that ends in .png or .jpg")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportConfig:
    """What a lint run prints, and when it fails."""

    format: str = "text"
    """One of :data:`FORMATS`."""
    output: Path | None = None
    """File to write the report to; None is standard output."""
    fail_on: str = "error"
    """``error``, ``warning`` or ``info``: the least severe finding that makes the run fail; ``never`` for none."""
    exit_zero: bool = False
    """Whether findings leave the exit code at 0."""
    statistics: bool = False
    """Whether counts per rule are printed: in place of the findings in text, else on standard error."""

    def __post_init__(self) -> None:
        for name, choices in (("format", FORMATS), ("fail_on", FAIL_ON)):
            if getattr(self, name) not in choices:
                given = getattr(self, name)
                raise ConfigError(f"--{name.replace('_', '-')} is {given!r}, expected {', '.join(choices)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FixConfig:
    """Whether rows are mended, and what becomes of them."""

    fix: bool = False
    """Apply safe fixes, into new files."""
    unsafe_fixes: bool = False
    """Apply unsafe fixes too."""
    diff: bool = False
    """Print what would change; write nothing."""
    fixed_out: Path | None = None
    """The new file, for a single data file; None is its name with ``.fixed.jsonl``."""

    def __post_init__(self) -> None:
        if self.fixed_out is not None and not self.writes:
            raise ConfigError(f"--fixed-out {self.fixed_out} names what --fix writes; add --fix, without --diff")

    @property
    def writes(self) -> bool:
        """Whether new files are written."""
        return (self.fix or self.unsafe_fixes) and not self.diff


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvertConfig(RowConfig):
    """How to convert."""

    loss_mask: str = "answers"
    """``answers`` trains every answer of a row, ``last-answer`` the last one alone."""
    media: str = "embed"
    """``embed`` media bytes in the shards, or ``link`` to the files."""
    on_bad: str = "error"
    """``error`` ends the run if any row is bad; ``skip`` puts bad rows into the rejects."""
    max_bad_ratio: float = 0.05
    """Largest share of bad rows that ``skip`` accepts, 0..1."""
    split: str | tuple[str, ...] | None = None
    """``NAME=SHARE``, one or several: splits to draw from the rows by the content of their media; None draws none."""
    split_like: Path | None = None
    """Shards whose rows keep the split that they have there; None draws all rows anew."""
    split_by: str = "picture"
    """``picture`` or ``bytes``: what media must have in common to be kept in one split."""
    fix: bool = False
    """Apply safe fixes to rows, as lint does; the data files stay as they are."""
    drop_duplicates: bool = False
    """Leave out rows that say what an earlier row says, about the same media."""
    val: tuple[str, ...] = ()
    """Data files whose rows make the split ``val``."""
    mix: tuple[tuple[str, float], ...] = ()
    """Pairs of a data file and its weight: 0.5 takes half of its rows, 2 takes each of them twice."""
    jobs: int = 1
    """Number of worker processes."""
    engine: str = "local"
    """``local`` works in processes of this machine, ``ray`` on a Ray cluster."""
    ray_address: str | None = None
    """Address of the Ray cluster; None joins the one that Ray finds, or starts one on this machine."""
    work_dir: Path | None = None
    """Folder for the parts of a conversion into a store; None is the user's caches."""

    def __post_init__(self) -> None:
        RowConfig.__post_init__(self)
        for path, weight in self.mix:
            if not 0 < weight <= MOST_WEIGHT:
                raise ConfigError(f"--mix {path}={weight:g}: a weight is more than 0 and at most {MOST_WEIGHT:,}")
        if self.ray_address is not None and self.engine != "ray":
            raise ConfigError(f"--ray-address {self.ray_address} is for a Ray cluster; add --engine ray")
        if not 0 <= self.max_bad_ratio <= 1:
            raise ConfigError(f"--max-bad-ratio is {self.max_bad_ratio}, it must be between 0 and 1")
        if not self.parse_splits() and self.split_like is not None:
            raise ConfigError("--split-like says which rows keep their split; add the --split that the others are for")

    def on_one_machine(self) -> ConvertConfig:
        """Return the options without those that say how and where the work is done, which change no byte."""
        return replace(self, jobs=1, engine="local", ray_address=None, work_dir=None)

    def parse_splits(self) -> tuple[tuple[str, float], ...]:
        """Return name and share of each split to draw.

        Raises:
            ConfigError: If one is not ``NAME=SHARE`` with a share between 0 and 1, or nothing is left for train.
        """
        given = (self.split,) if isinstance(self.split, str) else self.split or ()
        splits = tuple(_parse_split(text) for text in given)
        names = [name for name, _ in splits]
        if len(set(names)) < len(names):
            raise ConfigError(f"--split draws {max(names, key=names.count)} twice; name each split once")
        if (total := sum(share for _, share in splits)) >= 1:
            raise ConfigError(f"the shares of --split add up to {total:g}; leave something for train")
        return splits


def _parse_split(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        number = float(share)
    except ValueError:
        number = -1.0
    if not _SPLIT_NAME.fullmatch(name) or name == "train" or not 0 < number < 1:
        raise ConfigError(f"--split is {text!r}, expected a name and a share such as val=0.01")
    return name, number


def check_choices(config: RowConfig) -> None:
    """Raise ConfigError if an option with a fixed set of values has another one."""
    for name, choices in _CHOICES.items():
        value = getattr(config, name, choices[0])
        if value not in choices:
            raise ConfigError(f"--{name.replace('_', '-')} is {value!r}, expected {' or '.join(choices)}")
