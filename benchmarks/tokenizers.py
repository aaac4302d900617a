"""Tokens a second from sentencepiece folders: ``python -m benchmarks.tokenizers [--model DIR] [--texts FILE]``.

The same texts go through sentencepiece's own encode, through the original slow code (sentencepiece, with added tokens
looked for by Python), and through dataprep: with nothing remembered, with the words known, with the texts known. Their
ids must be equal. CPU time of one thread, each side in turn, the best of ``--rounds``. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dataprep.added_tokens import TokenFiles
from dataprep.model_files import read_json
from dataprep.sentencepieces import SentencePieceEngine

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures" / "tokenizers"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder with tokenizer.model; without it the fixtures of the tests")
    parser.add_argument(
        "--texts", type=Path, help="text file, cut into texts of 300 characters; without it the manuals"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured")
    options = parser.parse_args(arguments)
    files = [options.texts] if options.texts else sorted((ROOT / "docs").glob("*.md"))
    texts = [text for path in files for text in re.findall(r"(?s).{1,300}", path.read_text(encoding="utf-8"))]
    texts = [text.replace("<", "(") for text in texts]  # no added token: sentencepiece alone knows none
    print(f"{'million tokens/s':<24}{'load ms':>8}{'spm':>7}{'slow':>7}{'new':>7}{'words':>7}{'texts':>8}  tokens")
    for folder in [options.model] if options.model else sorted(FIXTURES.iterdir()):
        _measure(folder, texts, options.rounds)


def _measure(folder: Path, texts: list[str], rounds: int) -> None:
    names = ("tokenizer_config", "special_tokens_map", "added_tokens")
    files = TokenFiles(*(read_json(folder / f"{name}.json") for name in names))
    content = (folder / "tokenizer.model").read_bytes()
    load_s, engine = min((_timed(lambda: SentencePieceEngine(content, files)) for _ in range(rounds)), key=_seconds)
    original = engine._original
    sides: list[Callable[[], Any]] = [
        lambda: original._model.processor.encode(texts, num_threads=1),
        lambda: [original.encode(text) for text in texts],
        lambda: _forget(engine, words=True).encode_many(texts),
        lambda: _forget(engine, words=False).encode_many(texts),
        lambda: engine.encode_many(texts),
    ]
    best = [min(seconds) for seconds in zip(*([_timed(side)[0] for side in sides] for _ in range(rounds)), strict=True)]
    expected = [original.encode(text) for text in texts]
    assert [ids.tolist() for ids in engine.encode_many(texts)] == expected
    count = sum(map(len, expected))
    rates = [count / seconds / 1e6 for seconds in best]
    widths = (7, 7, 7, 7, 8)
    cells = "".join(f"{rate:>{width}.2f}" for rate, width in zip(rates, widths, strict=True))
    print(f"{folder.name:<24}{load_s * 1e3:>8.0f}{cells}  {count:,}")


def _forget(engine: SentencePieceEngine, *, words: bool) -> SentencePieceEngine:
    pieces: Any = engine._encode_many.__self__  # type: ignore[attr-defined]
    pieces._known = dict(pieces._special)
    if words:
        pieces._encode_all.__self__._known = {}
    return engine


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start_s = time.process_time()
    result = work()
    return time.process_time() - start_s, result


def _seconds(timed: tuple[float, Any]) -> float:
    return timed[0]


if __name__ == "__main__":
    main()
