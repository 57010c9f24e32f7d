"""``python -m heatproof``, and the command ``heatproof``."""

import sys


def main() -> None:
    """The entry point. What the command line needs takes a while to import, and Ctrl-C may come in between."""
    try:
        from heatproof.cli import main as run
    except KeyboardInterrupt:
        print("heatproof: interrupted", file=sys.stderr)
        sys.exit(3)
    run()


if __name__ == "__main__":
    main()
