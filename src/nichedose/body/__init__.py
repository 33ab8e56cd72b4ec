"""The body: what reaches the tumour by blood. Here: published multi-exponential plasma curves."""

from nichedose.body.plasma import PlasmaCurve

__all__ = ["PlasmaCurve"]
