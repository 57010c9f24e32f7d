"""Tests of the abstract machine and of Heat's design in it."""
