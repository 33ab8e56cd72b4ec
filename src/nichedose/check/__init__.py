"""`nichedose check`: our numbers beside published, analytic and independent ones."""

from nichedose.check.collector import ROOMS, collect
from nichedose.check.row import CheckRow
from nichedose.check.table import all_ok, format_table, to_json

__all__ = ["ROOMS", "CheckRow", "all_ok", "collect", "format_table", "to_json"]
