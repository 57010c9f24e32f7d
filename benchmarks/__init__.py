"""Speed and finding power, measured side by side in one run: ``make bench``."""
