"""`python -m waved` is `waved`."""

from waved.daemon import main

main()
