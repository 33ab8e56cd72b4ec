"""What is known: radiopharmaceuticals, targets, limits, radiobiology and tissue, as data with sources."""

from nichedose.library.find import find_agent
from nichedose.library.library import Library, iter_values
from nichedose.library.load import load_library, read_library

__all__ = ["Library", "find_agent", "iter_values", "load_library", "read_library"]
