"""Functions of an operator: its low-rank form, resolvent, heat kernel, spectrum and density."""

from .density import Density, density
from .heat import HeatSeries, heat_kernel
from .lanczos import spectrum
from .low_rank import as_low_rank
from .resolvent import Resolvent, resolvent
from .spectrum import Spectrum, exact_spectrum

__all__ = [
    "Density",
    "HeatSeries",
    "Resolvent",
    "Spectrum",
    "as_low_rank",
    "density",
    "exact_spectrum",
    "heat_kernel",
    "resolvent",
    "spectrum",
]
