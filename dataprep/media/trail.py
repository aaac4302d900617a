"""Which media files a run looked at, and in what state: as long as they are in it, the run would say the same again.

A state is device, inode, size, modification and change time, as one number of 64 bits, taken before or while the file
is read. Names are kept by folder, 8 bytes and the name for each file, so that a million of them take little memory.
Folders and symbolic links count by where they lead. To follow a trail costs one look at each file.
"""

from __future__ import annotations

import os
import stat
from array import array

import msgspec

_MOST_BYTES = 64 << 20
_BYTES_OF_FOLDER, _BYTES_OF_LINK = 500, 250
_MOST_MISSING = 1_000
_FEW_FILES = 20
_FOLDER_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)


def state_of(facts: os.stat_result) -> int:
    """Return a number that is another one once a file has changed, or another one is in its place."""
    # Hashes of integers do not depend on the seed of the process.
    return hash((facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))


def newest_change(facts: os.stat_result) -> int:
    """Return when a file last changed, in ns since 1970."""
    return max(facts.st_mtime_ns, facts.st_ctime_ns)


class _Folder:
    """The files of one folder so far; the names of the last ones are put together later, which is faster."""

    __slots__ = ("last", "names", "real", "states")

    def __init__(self, real: str) -> None:
        self.real = real
        self.names = bytearray()
        self.states = array("q")
        self.last: list[str] = []

    def pack(self) -> bytearray:
        """Return the names of all files, each with a null byte behind it."""
        if self.last:
            self.names += os.fsencode("\0".join([*self.last, ""]))
            self.last.clear()
        return self.names


class FolderTrail(msgspec.Struct, array_like=True):
    """The files of one folder, as they are stored.

    Attributes:
        real: Where the folder leads once links are followed.
        names: Names of files, each with a null byte behind it.
        states: Their states, 8 bytes each.
    """

    real: str
    names: bytes
    states: bytes


class StoredTrail(msgspec.Struct, array_like=True):
    """A trail as it is stored: folders, links with where they lead, and references without a file."""

    folders: dict[str, FolderTrail]
    links: dict[str, str]
    missing: list[str]


class Trail:
    """What was looked at so far. Can be sent to other processes.

    Attributes:
        is_complete: Whether everything that mattered is on it.
        newest_ns: When the youngest of the files changed, in ns since 1970.
        missing: References without a file.
    """

    def __init__(self) -> None:
        self.is_complete = True
        self.newest_ns = 0
        self.missing: dict[str, None] = {}
        self._folders: dict[str, _Folder] = {}
        self._links: dict[str, str] = {}
        self._parents: dict[str, str] = {}
        self._num_bytes = 0  # of what was appended

    def note(self, folder: str, name: str, facts: os.stat_result) -> None:
        """Remember a file that is no link.

        Args:
            folder: Its folder, with a slash at the end.
            name: Its name there.
            facts: What the system said of the file, no later than it was read.
        """
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = _Folder(_follow(folder, self._parents))
        known.last.append(name)
        modified_ns, changed_ns = facts.st_mtime_ns, facts.st_ctime_ns
        known.states.append(hash((facts.st_dev, facts.st_ino, facts.st_size, modified_ns, changed_ns)))  # state_of
        if changed_ns > self.newest_ns or modified_ns > self.newest_ns:
            self.newest_ns = max(modified_ns, changed_ns)

    def note_path(self, path: str) -> None:
        """Remember a file that is about to be read, or the link that leads to it and the file."""
        try:
            facts = os.lstat(path)
            if stat.S_ISLNK(facts.st_mode):
                real = os.path.realpath(path, strict=True)
                self._links[path] = real
                path, facts = real, os.lstat(real)
        except (OSError, ValueError):
            self.spoil()
            return
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            self.spoil()
            return
        self.note(f"{folder.rstrip('/')}/", name, facts)

    def note_missing(self, root: str, source: str) -> None:
        """Remember a reference without a file: by its folder, whose time tells of every name that comes or goes.

        What it says of names in other folders, or of a folder that is not there, is on no trail.
        """
        folder, name = os.path.split(os.path.join(root, source))  # noqa: PTH118 - no path that may be odd
        is_plain = name not in ("", ".", "..") and "," not in source and os.path.isdir(folder)  # noqa: PTH112
        if not is_plain or os.path.lexists(f"{folder}/{name}") or len(self.missing) >= _MOST_MISSING:
            self.spoil()
            return
        self.missing[source] = None
        self.note_path(folder)

    def spoil(self) -> None:
        """Remember that something was looked at which no trail tells of, such as a URL."""
        self.is_complete = False
        self.missing.clear()
        self._folders.clear()
        self._links.clear()
        self._num_bytes = 0

    def cut(self) -> Trail:
        """Return what was noted since the last time, and begin anew."""
        cut = Trail()
        cut.__dict__.update(self.__dict__ | {"_parents": {}})
        for folder in cut._folders.values():
            folder.pack()
        self.__dict__.update(Trail().__dict__)
        return cut

    def extend(self, other: Trail) -> None:
        """Append the trail of another part of the run."""
        self.newest_ns = max(self.newest_ns, other.newest_ns)
        for folder, files in other._folders.items():
            known = self._folders.get(folder)
            if known is None:
                known = self._folders[folder] = _Folder(files.real)
                self._num_bytes += _BYTES_OF_FOLDER + len(folder)
            self._num_bytes += len(files.pack()) + 8 * len(files.states)
            known.pack().extend(files.names)
            known.states.extend(files.states)
            if known.real != files.real:  # it was moved meanwhile
                self.is_complete = False
        self._num_bytes += sum(len(link) + len(real) + _BYTES_OF_LINK for link, real in other._links.items())
        self._links.update(other._links)
        self.missing.update(other.missing)
        is_long = self._num_bytes > _MOST_BYTES or len(self.missing) > _MOST_MISSING
        if is_long or not (self.is_complete and other.is_complete):
            self.spoil()

    def stored(self) -> StoredTrail:
        """Return the trail as it is stored."""
        folders = {
            folder: FolderTrail(files.real, bytes(files.pack()), files.states.tobytes())
            for folder, files in self._folders.items()
        }
        return StoredTrail(folders, self._links, list(self.missing))


def is_unchanged(trail: StoredTrail) -> bool:
    """Return whether everything on a trail is as it was."""
    parents: dict[str, str] = {}
    try:
        return all(os.path.realpath(link, strict=True) == real for link, real in trail.links.items()) and all(
            _follow(folder, parents) == files.real and _is_folder_unchanged(files)
            for folder, files in trail.folders.items()
        )
    except (OSError, ValueError):
        return False


def _follow(folder: str, parents: dict[str, str]) -> str:
    """Return where a folder leads; ``parents`` are folders that were followed before, as data sets may have many."""
    parent, name = os.path.split(folder.rstrip("/"))
    try:
        is_odd = name in ("", ".", "..") or stat.S_ISLNK(os.lstat(f"{parent}/{name}").st_mode)
    except OSError:
        is_odd = True
    if is_odd:
        return os.path.realpath(folder)
    real = parents.get(parent)
    if real is None:
        real = parents[parent] = os.path.realpath(parent)
    return f"{real.rstrip('/')}/{name}"


def _is_folder_unchanged(files: FolderTrail) -> bool:
    states = array("q")
    states.frombytes(files.states)
    pairs = zip(files.names.split(b"\0")[:-1], states, strict=True)
    look, state = os.lstat, state_of
    if len(states) < _FEW_FILES:
        start = os.fsencode(f"{files.real}/")
        return all(state(look(start + name)) == known for name, known in pairs)
    descriptor = os.open(files.real, _FOLDER_FLAGS)  # names in an open folder are found sooner than whole paths
    try:
        return all(state(look(name, dir_fd=descriptor)) == known for name, known in pairs)
    finally:
        os.close(descriptor)
