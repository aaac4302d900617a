"""The errors of dataprep: one base, one class per kind of cause.

Bad user data is a finding, never an exception that ends a run; these classes are for broken calls, files,
folders and configurations. Every message says what is wrong, with the value, and what to do next. All of
them survive pickling, so that a worker process can raise them.
"""

from __future__ import annotations


class DataprepError(Exception):
    """Base of every error that dataprep raises on purpose."""


class ConfigError(DataprepError):
    """An option, configuration file, model folder or tokenizer cannot be used as asked."""


class SourceError(DataprepError):
    """A data file cannot be read at all (missing, a directory, unreadable, changed while being read)."""


class LongRowsError(DataprepError):
    """Rows are too long, and ``--truncation error`` lets none through."""


class MediaError(DataprepError):
    """An image or video cannot be used.

    Attributes:
        path: The media reference as the row writes it, or the resolved path.
        reason: A short fixed code, such as ``missing`` or ``truncated-header``.
        detail: What was found, in words.
        suggestion: What the reference may have to be instead, as a row would write it; None where nobody knows.
    """

    def __init__(self, path: str, reason: str, detail: str, suggestion: str | None = None) -> None:
        super().__init__(path, reason, detail, suggestion)
        self.path = path
        self.reason = reason
        self.detail = detail
        self.suggestion = suggestion

    def __str__(self) -> str:
        return f"{self.path}: {self.detail}"


class ShardError(DataprepError):
    """A shard directory cannot be read or written."""


class ShardFormatError(ShardError):
    """A shard file is not what the format says."""


class ShardHashError(ShardError):
    """A shard file's content differs from what the manifest recorded."""


class ShardLedgerError(ShardError):
    """The ledger of a shard directory does not account for every row."""


class ShardVersionError(ShardError):
    """A shard directory has a format version that this release does not read."""


class StorageError(DataprepError):
    """A store that shards lie in (``s3://`` and the like) cannot be reached, or refuses."""


class ContractError(ShardError):
    """Shards were made in another way than is asked of them.

    Attributes:
        shards: The shard directory.
        other: What they do not fit, such as ``the model``.
        differences: What differs, in words.
        repair: The cheapest command that makes shards which fit.
    """

    def __init__(self, shards: str, other: str, differences: tuple[str, ...], repair: str) -> None:
        super().__init__(shards, other, differences, repair)
        self.shards = shards
        self.other = other
        self.differences = differences
        self.repair = repair

    def __str__(self) -> str:
        return f"{self.shards} does not fit {self.other}: {'; '.join(self.differences)}; repair it with: {self.repair}"


class RuleCrash(DataprepError):
    """A rule raised an exception: a defect of dataprep, not of the data.

    Attributes:
        code: The rule's code.
        location: ``path:line`` of the row that it was checking.
    """

    def __init__(self, code: str, location: str) -> None:
        super().__init__(code, location)
        self.code = code
        self.location = location

    def __str__(self) -> str:
        return (
            f"rule {self.code} crashed on {self.location}; this is a defect of dataprep: please report it with that row"
        )
