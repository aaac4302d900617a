"""Run a measurement in a process of its own, perhaps with the Python of another environment."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent


def run_job(command: Sequence[str], **variables: str) -> dict[str, Any]:
    """Run a command that prints JSON as its last line; ``{"error": ...}`` with its last words if it fails.

    Args:
        command: The program and its arguments; it finds this tree first.
        variables: Environment variables to set.
    """
    environment = os.environ | {"PYTHONPATH": str(_ROOT)} | variables
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT, env=environment)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])  # type: ignore[no-any-return]
