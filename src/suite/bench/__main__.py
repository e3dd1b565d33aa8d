"""`python -m suite.bench`."""

from suite.bench import main

main()
