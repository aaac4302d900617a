"""Media strings of every kind under the policy of a media root."""

from __future__ import annotations

import base64
import unicodedata
from pathlib import Path

import pytest

from dataprep.errors import MediaError
from dataprep.media import resolve as resolve_module
from dataprep.media.resolve import MediaRoot, resolve, split_comma

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0" + bytes(40)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "street").mkdir(parents=True)
    (folder / "street" / "Photo_1.jpg").write_bytes(JPEG)
    (folder / "a.png").write_bytes(PNG)
    (folder / "b c,d.png").write_bytes(PNG)
    (tmp_path / "outside.png").write_bytes(PNG)
    return folder


def error_of(source: str, root: Path, **policy: bool) -> MediaError:
    with pytest.raises(MediaError) as caught:
        resolve(source, root=root, **policy)
    return caught.value


@pytest.mark.parametrize("source", ["a.png", "  a.png\n", "./a.png", "street/../a.png"])
def test_relative_paths(root: Path, source: str) -> None:
    found = resolve(source, root=root)
    assert (found.kind, found.relative, found.source) == ("file", "a.png", source.strip())
    assert found.path is not None
    assert found.path.read_bytes() == PNG


def test_absolute_path_inside_the_root(root: Path) -> None:
    assert resolve(str(root / "street" / "Photo_1.jpg"), root=root).relative == "street/Photo_1.jpg"


@pytest.mark.parametrize("source", ["../outside.png", "street/../../outside.png", "/etc/hostname", "../none.png"])
def test_paths_outside_the_root_are_refused(root: Path, source: str) -> None:
    assert error_of(source, root).reason == "outside-root"


def test_outside_may_be_allowed(root: Path) -> None:
    found = resolve("../outside.png", root=root, allow_outside=True)
    assert found.kind == "file"
    assert Path(found.relative or "").is_absolute()
    assert error_of("../none.png", root, allow_outside=True).reason == "missing"


def test_links_count_by_where_they_lead(root: Path, tmp_path: Path) -> None:
    (root / "out.png").symlink_to(tmp_path / "outside.png")
    (root / "in.png").symlink_to(root / "a.png")
    (root / "dead.png").symlink_to(root / "nothing.png")
    (root / "up").symlink_to(tmp_path)
    assert error_of("out.png", root).reason == "outside-root"
    assert error_of("up/outside.png", root).reason == "outside-root"
    assert error_of("dead.png", root).reason == "missing"
    assert resolve("in.png", root=root).kind == "file"
    assert resolve("out.png", root=root, allow_outside=True).kind == "file"


def test_a_root_that_is_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert resolve("street/Photo_1.jpg", root=tmp_path / "alias").relative == "street/Photo_1.jpg"


@pytest.mark.parametrize(
    ("source", "suggestion"),
    [("street/photo_1.JPG", "'Photo_1.jpg'"), ("street/Photo_l.jpg", "'Photo_1.jpg'"), ("Street/x.jpg", "'street'")],
)
def test_missing_files_come_with_the_nearest_name(root: Path, source: str, suggestion: str) -> None:
    error = error_of(source, root)
    assert error.reason == "missing"
    assert f"did you mean {suggestion}" in error.detail


@pytest.mark.parametrize("source", ["street/Photo_2.jpg", "b.png", "street/img_0001.jpg", "street/img_0.jpg"])
def test_other_pictures_of_a_series_are_not_meant(root: Path, source: str) -> None:
    (root / "street" / "img_0002.jpg").touch()
    assert "did you mean" not in error_of(source, root).detail


@pytest.mark.parametrize("source", ["street/0img_0002.jpg", "street/img-2.jpg", "street/img_0002.jpeg"])
def test_another_spelling_of_a_number_is_meant(root: Path, source: str) -> None:
    (root / "street" / "img_0002.jpg").touch()
    assert "did you mean 'img_0002.jpg'" in error_of(source, root).detail


def test_composed_and_decomposed_names(root: Path) -> None:
    (root / unicodedata.normalize("NFD", "caf\u00e9.png")).write_bytes(PNG)
    assert "did you mean" in error_of(unicodedata.normalize("NFC", "caf\u00e9.png"), root).detail


def test_searches_for_near_names_are_limited(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve_module, "_NEAR_NAME_SEARCHES", 1)
    media = MediaRoot(root)
    details = []
    for source in ("a.pnh", "a.pnq", "A.PNG"):
        with pytest.raises(MediaError) as caught:
            media.resolve(source)
        details.append("did you mean" in caught.value.detail)
    assert details == [True, False, True]


@pytest.mark.parametrize("source", ["", "  \n"])
def test_empty_references(root: Path, source: str) -> None:
    assert error_of(source, root).reason == "empty-reference"


def test_odd_names_are_missing_not_crashes(root: Path) -> None:
    assert error_of("x" * 5000, root).reason == "missing"
    assert error_of("a\x00b.png", root).reason == "missing"


def test_urls(root: Path) -> None:
    assert error_of("https://example.com/a.png", root).reason == "url-not-allowed"
    assert resolve("HTTP://example.com/a.png", root=root, allow_urls=True).kind == "url"
    for source in ("file:///etc/passwd", "s3://bucket/a.png", "ftp://example.com/a.png"):
        assert error_of(source, root, allow_urls=True).reason == "unsupported-scheme"


def test_data_uris(root: Path) -> None:
    text = base64.b64encode(PNG).decode()
    for source in (f"data:image/png;base64,{text}", f"DATA:;BASE64,{text[:20]}\n{text[20:]}"):
        assert resolve(source, root=root).data == PNG
    assert resolve("data:image/png,%89PNG", root=root).data == b"\x89PNG"
    for source in ("data:image/png;base64", "data:image/png;base64,", "data:image/png;base64,***"):
        assert error_of(source, root).reason == "bad-data-uri"


@pytest.mark.parametrize("data", [PNG, JPEG, b"RIFF\x20\x00\x00\x00WEBP" + bytes(20)])
def test_bare_base64_images(root: Path, data: bytes) -> None:
    found = resolve(base64.b64encode(data).decode(), root=root)
    assert (found.kind, found.data) == ("inline", data)
    assert resolve(base64.b64encode(data).decode().rstrip("="), root=root).data == data


def test_base64_of_something_else_is_a_missing_file(root: Path) -> None:
    assert error_of(base64.b64encode(b"just some text, and no image").decode(), root).reason == "missing"


def test_an_existing_file_wins_over_base64(root: Path) -> None:
    text = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\x00" * 16).decode().replace("/", "A")
    (root / text).write_bytes(PNG)
    assert resolve(text, root=root).kind == "file"


def test_messages_do_not_repeat_long_strings(root: Path) -> None:
    assert len(str(error_of("data:image/png;base64," + "*" * 100_000, root))) < 400
    assert len(str(error_of("y/" * 50_000, root))) < 600


def test_comma_joined_strings(root: Path) -> None:
    assert split_comma("a.png, street/Photo_1.jpg", root=root) == ["a.png", "street/Photo_1.jpg"]
    for value in ("a.png", "b c,d.png", "a.png,none.png", "a.png,", "data:image/png;base64,AAAA", "http://h/a,b"):
        assert split_comma(value, root=root) is None
