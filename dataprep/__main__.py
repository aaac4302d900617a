"""Where the command begins: quiet when it is interrupted, even while it is still being loaded."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; an interrupt ends it with exit code 130 and no traceback."""
    try:
        from dataprep.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
