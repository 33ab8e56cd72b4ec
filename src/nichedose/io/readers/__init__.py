"""The tissue readers. A new assay is one new file here and one new name in ``READERS``."""

from nichedose.io.reader import Reader
from nichedose.io.readers.h5ad import H5AD
from nichedose.io.readers.legacy_st import LEGACY_ST
from nichedose.io.readers.visium import SYNTHETIC, VISIUM

__all__ = ["READERS"]

READERS: tuple[Reader, ...] = (VISIUM, H5AD, LEGACY_ST, SYNTHETIC)
