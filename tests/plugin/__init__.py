"""Tests of the pytest plugin, run as another project would run it."""
