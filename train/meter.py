"""What happened since the last line of the log: losses, counts and times.

Losses stay on the device until a line is due, so that counting does not wait for it.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from infer.inputs import PackBatch


@dataclass(slots=True)
class Meter:
    """Collects steps; a new one is made after each line of the log."""

    losses: list[torch.Tensor] = field(default_factory=list)
    health: list[torch.Tensor] = field(default_factory=list)
    """Of each step, a number that is finite if loss and gradient are."""
    trained_tokens: list[int] = field(default_factory=list)
    locations: list[tuple[str, ...]] = field(default_factory=list)
    tokens: int = 0
    tiles: int = 0
    wait_s: float = 0.0
    aside_s: float = 0.0
    """Time for validation and checkpoints, which is no part of a step."""
    started_s: float = field(default_factory=time.perf_counter)

    def add_step(
        self,
        batches: Sequence[PackBatch],
        loss: torch.Tensor,
        num_trained: int,
        *,
        grad_norm: torch.Tensor | None = None,
    ) -> None:
        """Count one optimizer step.

        Args:
            batches: Its micro-batches.
            loss: Its mean loss, on the device.
            num_trained: Its trained tokens.
            grad_norm: Norm of its gradient, on the device; None if unknown, or if it may be infinite.
        """
        self.losses.append(loss)
        self.health.append(loss if grad_norm is None else loss + grad_norm)
        self.trained_tokens.append(num_trained)
        self.locations.append(tuple(name for batch in batches for name in batch.locations))
        self.tokens += sum(sum(batch.segment_lengths) for batch in batches)
        self.tiles += sum(0 if batch.tiles_NSSC is None else len(batch.tiles_NSSC) for batch in batches)

    def read_loss(self) -> tuple[float, int | None]:
        """Return the mean loss per trained token, and the number of the first step that was not finite, if any.

        Waits for the device.
        """
        losses, health = torch.stack([torch.stack(self.losses), torch.stack(self.health)]).tolist()
        bad = next((number for number, value in enumerate(health) if not math.isfinite(value)), None)
        total = sum(value * count for value, count in zip(losses, self.trained_tokens, strict=True))
        return total / sum(self.trained_tokens), bad

    def rates(self) -> dict[str, float | str | None]:
        """Return speeds, the mean time of a step, and the share of it that waited for data."""
        seconds = max(time.perf_counter() - self.started_s - self.aside_s, 1e-9)
        return {
            "tokens_per_s": round(self.tokens / seconds, 1),
            "tiles_per_s": round(self.tiles / seconds, 2),
            "step_s": round(seconds / len(self.losses), 5),
            "data_wait_share": round(self.wait_s / seconds, 4),
        }
