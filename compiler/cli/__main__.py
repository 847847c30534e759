"""Where `./build.py` enters the package."""

import sys


def main(arguments: list[str]) -> int:
    """Run one command line and return the exit status of the process."""
    from compiler.cli.app import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
