"""`python -m facegen` is the `facegen` program."""

import sys

from facegen.cli import main

if __name__ == "__main__":
    sys.exit(main())
