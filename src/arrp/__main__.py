"""`python -m arrp` is `arrp`."""

from arrp.cli import main

main()
