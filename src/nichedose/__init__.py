"""nichedose: what a radiopharmaceutical does inside a tumour's microenvironment, from a tissue section to a ranking.

Importing the package is cheap; its rooms (`nichedose.io`, `nichedose.tissue`, `nichedose.study`, ...) load what they
need. Research software, not a medical device.
"""

from nichedose._numba_cache import ensure_numba_cache

__all__ = ["__version__"]

__version__ = "0.1.0"

ensure_numba_cache()
