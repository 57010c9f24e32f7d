"""Tests of the command line, run as a stranger would run it."""
