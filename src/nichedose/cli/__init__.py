"""The command line. Exit codes: 0 done; 1 a check failed or nothing evaluable; 2 bad input; 130 interrupted."""

from nichedose.cli import planning, deciding, profiling, transporting, lookups, organs, body, mouse, health  # isort: skip  # this order is that of `nichedose --help`
from nichedose.cli.app import app, main

__all__ = [
    "app", "body", "deciding", "health", "lookups", "main", "mouse", "organs", "planning", "profiling", "transporting",
]
