"""`python -m azpack`."""

from azpack.cli.main import run

run()
