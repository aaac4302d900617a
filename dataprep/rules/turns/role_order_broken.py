"""Flag messages whose roles do not take turns. Cost: none beyond reading."""

from __future__ import annotations

from dataprep.rules.base import ShapeRule


class RoleOrderBroken(ShapeRule):
    """Messages whose roles do not take turns.

    ## What it does
    Reports `messages` and `conversations` that do not go user, assistant, user, assistant, after an
    optional system message, and end with the assistant.
    ## Why it matters
    The reference drops the messages that fit no pair, in silence.
    ## Example
    roles `user, user, assistant`
    ## Use instead
    Join the two user messages, or add the answer between them.
    ## Options
    None.
    ## Source
    The row schemas (schemas/row.*.schema.json).
    """

    name = "role-order-broken"
    kinds = ("role-order",)
