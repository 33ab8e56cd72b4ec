"""`nichedose check`: our numbers beside published, analytic and independent ones."""

from nichedose.check.row import CheckRow

__all__ = ["CheckRow"]
