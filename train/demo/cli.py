"""The command ``dataprep demo``: the main job on a data set that it draws itself."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from infer.threads import let_idle_threads_sleep


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder of everything that is made.")] = Path("demo-run"),
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of the second training. Default: 1400.")] = None,
    seed: Annotated[int, typer.Option(help="Of scenes, questions and weights.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A few scenes and steps; learns little.")] = False,
) -> None:
    """Draw a data set, lint, convert, train a tiny InternVL from scratch, evaluate, show a page."""
    let_idle_threads_sleep()
    from train.demo.run import PAGE_NAME, make_config, run_demo
    from train.demo.summary import summary_text

    config = make_config(out, steps=steps, seed=seed, is_quick=quick)
    result = run_demo(config, say=lambda text: print(text, file=sys.stderr, flush=True))
    print(summary_text(result))
    print(f"\npage: {(out / PAGE_NAME).resolve()}")
