"""Tests of the room reports: cases, stories, tables, progress, files."""
