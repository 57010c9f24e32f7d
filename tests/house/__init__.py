"""Tests of the house: layout, packaging, import rules, profiles, Makefile."""
