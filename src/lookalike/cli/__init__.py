"""The command line: parse, call, print."""

from lookalike.cli.main import main

__all__ = ["main"]
