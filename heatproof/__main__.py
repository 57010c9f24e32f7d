"""``python -m heatproof``, and the command ``heatproof``."""

import signal
import sys


def _interrupt(_number: int, _frame: object) -> None:
    """Only the first counts: ``timeout`` sends it twice."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """The entry point. What the command line needs takes seconds to import, and Ctrl-C and SIGTERM may come in between; how they end a command
    that has begun is said in :mod:`heatproof.ending`."""
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        from heatproof.cli import main as run

        run()
    except KeyboardInterrupt:
        print("heatproof: interrupted", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
