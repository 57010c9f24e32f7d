"""heatproof: property-based model checking of convergence designs, OpenStack Heat's above all.

The public face: what other projects use is importable from here.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
