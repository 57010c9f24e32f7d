"""Tests of the scenario files: their language, and the runner."""
