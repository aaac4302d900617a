"""The meter's loss is the mean per trained token, and it finds the step that went wrong."""

from __future__ import annotations

import math

import pytest
import torch

from infer.inputs import collate_pack
from tests.factories import make_sample
from train.meter import Meter


def test_losses_are_weighted_by_trained_tokens() -> None:
    meter = Meter()
    batch = collate_pack([make_sample(1), make_sample(2)], [None, None])
    meter.add_step([batch, batch], torch.tensor(1.0), 10)
    meter.add_step([batch], torch.tensor(4.0), 5)
    assert meter.read_loss() == (pytest.approx(2.0), None)
    assert meter.tokens == 36
    assert meter.locations[0] == ("rows.jsonl:1", "rows.jsonl:2") * 2
    assert set(meter.rates()) == {"tokens_per_s", "tiles_per_s", "step_s", "data_wait_share"}


def test_the_first_bad_step_is_found() -> None:
    meter = Meter()
    for value in (1.0, math.inf, math.nan):
        meter.add_step([], torch.tensor(value), 1)
    assert meter.read_loss()[1] == 1


def test_a_gradient_that_is_not_finite_counts_too() -> None:
    meter = Meter()
    meter.add_step([], torch.tensor(1.0), 1, grad_norm=torch.tensor(2.0))
    meter.add_step([], torch.tensor(1.0), 1, grad_norm=torch.tensor(math.inf))
    assert meter.read_loss() == (1.0, 1)
