"""Tests of what is drawn and of the stateful machine."""
