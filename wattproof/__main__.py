"""`python -m wattproof`: the command line."""

import sys

from wattproof.cli import main

sys.exit(main())
