"""The tissue readers. A new assay is one new file here and one new name in ``READERS``."""

from nichedose.io.reader import Reader
from nichedose.io.readers.cosmx import COSMX
from nichedose.io.readers.geomx import GEOMX
from nichedose.io.readers.h5ad import H5AD
from nichedose.io.readers.halo import HALO
from nichedose.io.readers.inform import INFORM
from nichedose.io.readers.legacy_st import LEGACY_ST
from nichedose.io.readers.mcmicro import MCMICRO
from nichedose.io.readers.merscope import MERSCOPE
from nichedose.io.readers.qupath import QUPATH
from nichedose.io.readers.spatialdata import SPATIALDATA
from nichedose.io.readers.steinbock import STEINBOCK
from nichedose.io.readers.table import TABLE
from nichedose.io.readers.visium import SYNTHETIC, VISIUM
from nichedose.io.readers.visium_hd import VISIUM_HD
from nichedose.io.readers.xenium import XENIUM

__all__ = ["READERS"]

READERS: tuple[Reader, ...] = (
    VISIUM, VISIUM_HD, XENIUM, COSMX, MERSCOPE, GEOMX, LEGACY_ST, SPATIALDATA, H5AD, INFORM, HALO, QUPATH, MCMICRO,
    STEINBOCK, TABLE, SYNTHETIC)
