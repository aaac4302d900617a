"""Exact match: does an answer equal the reference, letter by letter?

Only white space at both ends is forgiven: a tokenizer may add or swallow it, and no reader sees it.
"""


def is_exact_match(prediction: str, reference: str) -> bool:
    """Return whether the two texts are equal but for white space around them."""
    return prediction.strip() == reference.strip()
