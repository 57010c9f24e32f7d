"""Tests of the other targets. They are skipped, with the reason, where what runs there is not installed."""
