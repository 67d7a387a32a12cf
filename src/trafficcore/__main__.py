"""`python -m trafficcore`, and the `trafficcore` command."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, or say which extra it takes."""
    try:
        from trafficcore.cli import cli
    except ImportError as error:
        sys.exit(
            f"trafficcore's commands need their extra: pip install 'trafficcore[cli]' ({error})"
        )
    cli(prog_name="trafficcore")


if __name__ == "__main__":
    main()
