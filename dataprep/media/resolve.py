"""Turn the media strings of a row into files, URLs or inline bytes, under one policy.

A string is, in this order: a ``data:`` URI, a URL, an existing file under the media root, an image as bare base64.
Files must lie inside the root after links are followed, unless the policy says otherwise. Nothing is opened or
downloaded here; a file that is not there is a MediaError with the nearest name in its folder.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import os
import re
import stat
import unicodedata
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dataprep.errors import MediaError

# More entries than this are not listed, and more near names than this are not searched for, to help with typing errors.
_LISTED_ENTRIES = 5000
_NEAR_NAME_SEARCHES = 100
_NEAR_NAMES = 5

LONGEST_PATH = 4096
"""No path is longer on the systems that we know (PATH_MAX of Linux)."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# Parent folders, drives and schemes, and what no path holds.
_ODD_FOLDER = re.compile(r"(?:^|/)\.\.(?:/|$)|[:\\\0]")
_IMAGE_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
# Shorter strings are file names: the smallest images of any format are longer.
_SHORTEST_BASE64 = 32


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where the bytes of a media reference are.

    Attributes:
        kind: ``file``, ``url`` or ``inline``.
        source: The reference as the row writes it, without surrounding white space.
        path: The file, for ``file``.
        relative: The file relative to the media root with forward slashes; absolute where it lies outside.
        data: The encoded image, for ``inline``.
    """

    kind: Literal["file", "url", "inline"]
    source: str
    path: Path | None = None
    relative: str | None = None
    data: bytes | None = None


def resolve(source: str, *, root: str | Path, allow_outside: bool = False, allow_urls: bool = False) -> Resolved:
    """Resolve one media string; for many strings keep a ``MediaRoot``, which remembers folders."""
    return MediaRoot(root, allow_outside=allow_outside, allow_urls=allow_urls).resolve(source)


def split_comma(value: str, *, root: str | Path) -> list[str] | None:
    """Split one string into several paths; see ``MediaRoot.split_comma``."""
    return MediaRoot(root).split_comma(value)


class MediaRoot:
    """A media root with its policy, and what was learned of its folders so far."""

    def __init__(self, root: str | Path, *, allow_outside: bool = False, allow_urls: bool = False) -> None:
        """Remember the root.

        Args:
            root: Folder that relative paths start from.
            allow_outside: Accept files outside the root.
            allow_urls: Accept http and https URLs.
        """
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - Path.absolute keeps '..'
        self.allow_outside = allow_outside
        self.allow_urls = allow_urls
        self._real_root = os.path.realpath(self.root)
        self._real_folders: dict[str, str] = {}
        self._listings: dict[str, dict[str, str]] = {}
        self._searches_left = _NEAR_NAME_SEARCHES

    def resolve(self, source: str) -> Resolved:
        """Resolve a media string.

        Raises:
            MediaError: With reason ``empty-reference``, ``bad-data-uri``, ``url-not-allowed``, ``unsupported-scheme``,
                ``outside-root`` or ``missing``.
        """
        text = source.strip()
        if not text:
            raise MediaError(source, "empty-reference", "is an empty string; remove it or name a file")
        if text[:5].lower() == "data:":
            return Resolved("inline", text, data=_decode_data_uri(text))
        if scheme := _SCHEME.match(text):
            return self._resolve_url(text, scheme[0].lower())
        path = os.path.join(self.root, text)  # noqa: PTH118 - pathlib is five times slower here
        facts = _lstat(path)
        if facts is None and (data := _decode_base64(text)) is not None:
            return Resolved("inline", text, data=data)
        if len(path) > LONGEST_PATH:
            raise MediaError(_short(text), "missing", "is too long for a path and no image in base64")
        if not self.allow_outside and not self._is_inside(path, facts):
            detail = f"lies outside the media root {self.root}; move it there, or allow files outside"
            raise MediaError(_short(text), "outside-root", detail)
        if facts is None:
            detail, suggestion = self._describe_missing(path)
            raise MediaError(_short(text), "missing", detail, suggestion=suggestion)
        if stat.S_ISLNK(facts.st_mode) and not os.path.exists(path):  # noqa: PTH110
            raise MediaError(_short(text), "missing", f"is a symbolic link that leads to no file: {path}")
        return Resolved("file", text, path=Path(path), relative=self._relative(path))

    def find_folder(self, folder: str) -> tuple[str, str] | None:
        """Return what to put before the names of the files in a folder, to get their paths and relative paths.

        Args:
            folder: Relative to the root, as a row writes it; empty is the root itself.

        Returns:
            Two prefixes; None if paths through this folder need a closer look.
        """
        if folder.startswith("/") or _ODD_FOLDER.search(folder):
            return None
        path = os.path.join(self.root, folder)  # noqa: PTH118
        if not self.allow_outside and not self._covers(_realpath(path)):
            return None
        relative = self._relative(path)
        return f"{str(Path(path)).rstrip('/')}/", "" if relative == "." else f"{relative}/"

    def split_comma(self, value: str) -> list[str] | None:
        """Return the parts of a string that lists several files, None if it is one reference.

        It is a list only where no file bears the whole name and every part between commas is a file.
        """
        text = value.strip()
        parts = [part.strip() for part in text.split(",")]
        if len(parts) < 2 or text[:5].lower() == "data:" or _SCHEME.match(text) or not all(parts):
            return None
        if _lstat(os.path.join(self.root, text)) is not None:  # noqa: PTH118
            return None
        if all(_lstat(os.path.join(self.root, part)) is not None for part in parts):  # noqa: PTH118
            return parts
        return None

    def _resolve_url(self, text: str, scheme: str) -> Resolved:
        if scheme not in ("http://", "https://"):
            detail = f"has the scheme {scheme}; only paths, data: URIs and http(s) URLs are read"
            raise MediaError(_short(text), "unsupported-scheme", detail)
        if not self.allow_urls:
            raise MediaError(_short(text), "url-not-allowed", "is a URL; allow downloads with --allow-urls")
        return Resolved("url", text)

    def _is_inside(self, path: str, facts: os.stat_result | None) -> bool:
        """Tell whether the path stays in the root once links are followed; folders are looked up once."""
        folder, name = os.path.split(path)
        if facts is None or stat.S_ISLNK(facts.st_mode) or name in ("", ".", ".."):
            return self._covers(_realpath(path))
        real = self._real_folders.get(folder)
        if real is None:
            real = self._real_folders[folder] = _realpath(folder)
        return self._covers(real)

    def _covers(self, real: str) -> bool:
        return real == self._real_root or real.startswith(self._real_root.rstrip(os.sep) + os.sep)

    def _relative(self, path: str) -> str:
        relative = os.path.relpath(path, self.root)
        return Path(path if relative.startswith("..") else relative).as_posix()

    def _describe_missing(self, path: str) -> tuple[str, str | None]:
        """Return what is missing, in words, and the path that may have been meant, if there is a file."""
        folder, name = os.path.split(path.rstrip(os.sep))
        rest = ""
        while folder != os.path.dirname(folder) and not os.path.isdir(folder):  # noqa: PTH112, PTH120
            rest = os.path.join(name, rest)  # noqa: PTH118
            folder, name = os.path.split(folder)
        detail = f"no such file: {_short(path, 200)}"
        nearest = self._near_name(folder, name) if self._covers(_realpath(folder)) else None
        if nearest is None:
            return detail, None
        meant = os.path.join(folder, nearest, rest).rstrip(os.sep)  # noqa: PTH118
        suggestion = self._relative(meant) if os.path.isfile(meant) else None  # noqa: PTH113
        return f"{detail}; did you mean {nearest!r} in {folder}?", suggestion

    def _near_name(self, folder: str, name: str) -> str | None:
        listing = self._listings.get(folder)
        if listing is None:
            listing = self._listings[folder] = _list_folder(folder)
        key = _fold(name)
        if key in listing or self._searches_left <= 0:
            return listing.get(key)
        self._searches_left -= 1
        matches = difflib.get_close_matches(key, listing, n=_NEAR_NAMES, cutoff=0.7)
        return next((listing[match] for match in matches if _may_be_meant(key, match)), None)


def _values(numbers: list[str]) -> list[str]:
    """Return numbers without leading zeros, and without those that are zero: a digit too many is a typing error."""
    return [number.lstrip("0") for number in numbers if number.strip("0")]


def _may_be_meant(name: str, other: str) -> bool:
    """Return False for the other pictures of a series: names with another number, or with only the ending in common."""
    stem, other_stem = (os.path.splitext(text)[0] for text in (name, other))  # noqa: PTH122
    numbers, others = (re.findall(r"\d+", text) for text in (stem, other_stem))
    if numbers and others and _values(numbers) != _values(others):
        return False
    return difflib.SequenceMatcher(None, stem, other_stem).ratio() >= 0.5


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (OSError, ValueError):  # Not there, too long for a name, or with a null byte.
        return None


def _realpath(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return os.path.normpath(path)


def _list_folder(folder: str) -> dict[str, str]:
    """Return the names in a folder by their folded form, up to a limit."""
    names: dict[str, str] = {}
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(_LISTED_ENTRIES), entries, strict=False):
                names[_fold(entry.name)] = entry.name
    except OSError:
        return {}
    return names


def _fold(name: str) -> str:
    """Return a form that is equal for names that differ in letter case or Unicode composition only."""
    return unicodedata.normalize("NFC", name).casefold()


def _decode_data_uri(text: str) -> bytes:
    header, comma, payload = text.partition(",")
    if not comma:
        raise MediaError(_short(text), "bad-data-uri", "is a data: URI without a comma before its data")
    try:
        if header.lower().endswith(";base64"):
            data = _base64(urllib.parse.unquote(payload))
        else:
            data = urllib.parse.unquote_to_bytes(payload)
    except ValueError as error:
        raise MediaError(_short(text), "bad-data-uri", f"is a data: URI with broken base64: {error}") from error
    if not data:
        raise MediaError(_short(text), "bad-data-uri", "is a data: URI without data")
    return data


def _decode_base64(text: str) -> bytes | None:
    """Return the image that a string holds as bare base64, None if it is something else."""
    if len(text) < _SHORTEST_BASE64:
        return None
    try:
        head = _base64(text[:16])
        if not head.startswith(_IMAGE_MAGICS) and not (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
            return None
        return _base64(text)
    except ValueError:
        return None


def _base64(text: str) -> bytes:
    compact = "".join(text.split())
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else f"{text[: limit - 20]}... ({len(text):,} characters)"
