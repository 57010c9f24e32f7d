"""The designs: convergence algorithms that live in the world."""
