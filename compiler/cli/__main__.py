"""Where `./build.py` enters the package: answers a build with nothing to do itself, and starts the rest.

That answer is the reason for importing so little here.
"""

import gc
import os
import sys

from compiler.driver.freshness import Freshness

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(arguments: list[str]) -> int:
    """Run one command line and return the exit status of the process."""
    if not arguments or arguments[0] == "build":
        text = Freshness(ROOT, arguments).recorded_text()
        if text is not None:
            print(text)
            print("nothing changed")
            return 0
    from compiler.cli.app import run

    gc.disable()  # a command is over before there is much to collect
    status = run(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # taking a whole program's objects apart one by one would take a fifth of a second


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
