"""What `wattproof` and `python -m wattproof` run: the command line, which takes a moment to load."""

import sys


def main() -> int:
    """Runs the command line; returns its exit code, 130 after Ctrl-C already while it is loaded."""
    try:
        from wattproof.cli import main as run
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
