"""`python -m arrp` is `arrp`."""

import sys

from arrp.cli import main

sys.exit(main())
