"""Errors cross process borders whole, and their sentences carry what went wrong."""

from __future__ import annotations

import inspect
import pickle

import pytest

from dataprep import errors
from dataprep.errors import ContractError, DataprepError, MediaError, RuleCrash

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, DataprepError)]


def make(cls: type[DataprepError]) -> DataprepError:
    count = {ContractError: 4, MediaError: 3, RuleCrash: 2}.get(cls, 1)
    return cls(*["a", "b", "c", "d"][:count])


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_survives_pickling(cls: type[DataprepError]) -> None:
    error = make(cls)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_there_is_one_base() -> None:
    assert len(CLASSES) == 13
    assert all(issubclass(cls, DataprepError) for cls in CLASSES)
    assert not issubclass(DataprepError, ValueError | OSError)


def test_media_error_names_path_reason_and_detail() -> None:
    error = MediaError("a.png", "missing", "no such file")
    assert (error.path, error.reason, error.detail) == ("a.png", "missing", "no such file")
    assert str(error) == "a.png: no such file"


def test_rule_crash_asks_for_a_report() -> None:
    text = str(RuleCrash("G402", "rows.jsonl:17"))
    assert all(part in text for part in ("G402", "rows.jsonl:17", "defect of dataprep", "report"))
