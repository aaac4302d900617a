"""Errors of training: each message says what is wrong, with the value, and what to do next."""

from dataprep.errors import DataprepError


class TrainError(DataprepError):
    """A training run cannot start, continue or resume as asked."""


class NonFiniteLossError(TrainError):
    """The loss of a step, or its gradient, was not a finite number.

    Attributes:
        step: The optimizer step, from 1.
        locations: ``path:line`` of every row of that step.
        last_checkpoint: Path of the newest checkpoint, or None if there is none.
    """

    def __init__(self, step: int, locations: tuple[str, ...], last_checkpoint: str | None) -> None:
        super().__init__(step, locations, last_checkpoint)
        self.step = step
        self.locations = locations
        self.last_checkpoint = last_checkpoint

    def __str__(self) -> str:
        shown = ", ".join(self.locations[:20])
        more = f" and {len(self.locations) - 20} more" if len(self.locations) > 20 else ""
        kept = (
            f"checkpoint {self.last_checkpoint} is intact"
            if self.last_checkpoint
            else "no checkpoint was written before it"
        )
        return (
            f"loss or gradient of step {self.step} is not finite; its rows: {shown}{more}. {kept}; "
            "look at these rows, lower --learning-rate, or use --dtype bfloat16 in place of float16"
        )
