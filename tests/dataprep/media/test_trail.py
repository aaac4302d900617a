"""A trail tells of every change of the files that were looked at, and of nothing else."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import msgspec
import pytest

from dataprep.media import trail as trail_module
from dataprep.media.index import MediaIndex
from dataprep.media.trail import StoredTrail, Trail, is_unchanged
from dataprep.records import MediaRef
from tests.dataprep.conversions import data_uri, encode_png, write_png


def look_at(root: Path, *sources: str, kind: str = "image", **options: bool) -> Trail:
    """Return the trail of looking some media up."""
    trail = Trail()
    index = MediaIndex(root, trail=trail, **options)
    for source in sources:
        index.look_up(MediaRef(kind, source, "images"))  # type: ignore[arg-type]
    return trail


def store(trail: Trail) -> StoredTrail:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(trail.stored()), type=StoredTrail)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "images").mkdir(parents=True)
    for number in range(3):
        write_png(folder / "images" / f"{number}.png", (number, 2, 3))
    return folder


SOURCES = ("images/0.png", "images/1.png", "images/2.png")


def change_bytes(root: Path) -> None:
    path = root / SOURCES[1]
    content, times = path.read_bytes(), path.stat()
    path.write_bytes(content[:-1] + b"x")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the time of change tells


def replace_file(root: Path) -> None:
    write_png(root / "new.png", (9, 9, 9)).rename(root / SOURCES[0])


def replace_folder(root: Path) -> None:
    (root / "images").rename(root / "old")
    (root / "images").mkdir()
    for number in range(3):
        write_png(root / "images" / f"{number}.png", (number, 2, 3))


def move_folder_out(root: Path) -> None:
    (root / "images").rename(root.parent / "elsewhere")
    (root / "images").symlink_to(root.parent / "elsewhere")


def remove_file(root: Path) -> None:
    (root / SOURCES[2]).unlink()


def remove_folder(root: Path) -> None:
    (root / "images").rename(root / "old")


@pytest.mark.parametrize(
    "change", [change_bytes, replace_file, replace_folder, move_folder_out, remove_file, remove_folder]
)
def test_every_change_is_seen(root: Path, change: object) -> None:
    trail = look_at(root, *SOURCES)
    assert trail.is_complete
    assert is_unchanged(store(trail))
    change(root)  # type: ignore[operator]
    assert not is_unchanged(store(trail))


def test_a_folder_above_that_leads_elsewhere_is_seen(root: Path) -> None:
    trail = store(look_at(root, *SOURCES))
    root.rename(root.parent / "moved")
    assert not is_unchanged(trail)
    root.symlink_to(root.parent / "moved")
    assert not is_unchanged(trail)


@pytest.mark.parametrize("limit", [0, 1_000])
def test_few_and_many_files_are_looked_at_alike(root: Path, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_module, "_FEW_FILES", limit)
    trail = store(look_at(root, *SOURCES))
    assert is_unchanged(trail)
    change_bytes(root)
    assert not is_unchanged(trail)


def test_other_files_do_not_matter(root: Path) -> None:
    trail = store(look_at(root, *SOURCES))
    write_png(root / "images" / "3.png", (1, 2, 3))
    (root / "notes.txt").write_text("more")
    assert is_unchanged(trail)


def test_damaged_files_are_on_the_trail(root: Path) -> None:
    path = root / "images" / "cut.png"
    path.write_bytes(encode_png((1, 2, 3))[:40])
    (root / "images" / "none.png").touch()
    trail = look_at(root, "images/cut.png", "images/none.png")
    assert trail.is_complete
    assert is_unchanged(store(trail))
    path.write_bytes(encode_png((1, 2, 3)))
    assert not is_unchanged(store(trail))


def test_links_count_by_where_they_lead(root: Path) -> None:
    link = root / "link.png"
    link.symlink_to(root / SOURCES[0])
    trail = store(look_at(root, "link.png"))
    assert trail.links
    assert is_unchanged(trail)
    link.unlink()
    link.symlink_to(root / SOURCES[1])
    assert not is_unchanged(trail)
    link.unlink()
    assert not is_unchanged(trail)


def test_a_linked_file_that_changed_is_seen(root: Path) -> None:
    (root / "link.png").symlink_to(root / SOURCES[0])
    trail = store(look_at(root, "link.png"))
    (root / SOURCES[0]).write_bytes(encode_png((7, 7, 7)))
    assert not is_unchanged(trail)


def test_inline_images_need_no_trail(root: Path) -> None:
    trail = look_at(root, data_uri(encode_png((1, 2, 3))), "", "data:nothing", "ftp://a/b.png", "http://a/b.png")
    assert trail.is_complete
    assert store(trail).folders == {}


def test_what_no_file_tells_spoils_the_trail(root: Path) -> None:
    outside = write_png(root.parent / "out.png", (1, 2, 3))
    base64_text = data_uri(encode_png((1, 2, 3))).partition(",")[2]
    (root / "broken.png").symlink_to(root / "nowhere.png")
    odd = ("gone/0.png", "broken.png", "images/0.png,gone.png", "gone/")
    for source in (*odd, str(outside), base64_text, "images"):
        assert not look_at(root, "images/0.png", source).is_complete, source
    assert look_at(root, str(outside), allow_outside=True).is_complete


@pytest.mark.parametrize("name", ["gone.png", "1.pn", "other.txt"])
def test_missing_files_are_on_the_trail_by_their_folder(root: Path, name: str) -> None:
    trail = store(look_at(root, "images/0.png", "images/gone.png"))
    assert trail.missing == ["images/gone.png"]
    assert is_unchanged(trail)
    (root / "new.png").touch()
    assert is_unchanged(trail)
    (root / "images" / name).touch()  # it, or a name that may be meant
    assert not is_unchanged(trail)


def test_many_missing_files_spoil_the_trail(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_module, "_MOST_MISSING", 2)
    one, two, three = (f"images/gone-{number}.png" for number in range(3))
    assert look_at(root, one, two).is_complete
    assert not look_at(root, one, two, three).is_complete
    whole = look_at(root, one, two)
    whole.extend(look_at(root, three))
    assert not whole.is_complete


def test_joined_paths_spoil_the_trail(root: Path) -> None:
    trail = Trail()
    index = MediaIndex(root, trail=trail)
    refs = (MediaRef("image", ",".join(SOURCES), "images"),)
    assert len(index._split(refs)) == 3
    assert not trail.is_complete


def test_a_path_that_ends_in_a_folder_or_is_gone_spoils_the_trail(root: Path) -> None:
    for path in (f"{root}/images/..", f"{root}/gone.png", f"{root}/a\0b"):
        trail = Trail()
        trail.note_path(path)
        assert not trail.is_complete


def test_pieces_add_up(root: Path) -> None:
    whole, trail = Trail(), Trail()
    index = MediaIndex(root, trail=trail)
    for source in SOURCES:
        index.look_up(MediaRef("image", source, "images"))
        whole.extend(pickle.loads(pickle.dumps(trail.cut())))
    assert store(whole) == store(look_at(root, *SOURCES))
    assert store(trail).folders == {}
    assert whole.newest_ns == look_at(root, *SOURCES).newest_ns


def test_a_piece_that_is_spoilt_spoils_the_whole(root: Path) -> None:
    whole = look_at(root, SOURCES[0])
    whole.extend(look_at(root, "gone/gone.png"))
    whole.extend(look_at(root, SOURCES[1]))
    assert not whole.is_complete
    assert store(whole).folders == {}


def test_a_folder_that_moves_meanwhile_spoils_the_whole(root: Path) -> None:
    whole = look_at(root, SOURCES[0])
    move_folder_out(root)
    whole.extend(look_at(root, SOURCES[1], allow_outside=True))
    assert not whole.is_complete


def test_a_trail_that_grows_too_long_is_given_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(f"{root}/images/") + trail_module._BYTES_OF_FOLDER + 2 * (len("0.png") + 9)
    monkeypatch.setattr(trail_module, "_MOST_BYTES", size)
    whole = Trail()
    whole.extend(look_at(root, SOURCES[0], SOURCES[1]))
    assert whole.is_complete
    whole.extend(look_at(root, SOURCES[2]))
    assert not whole.is_complete
