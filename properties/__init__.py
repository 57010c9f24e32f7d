"""What must hold, what must be reachable, and the pytest tests that assert it."""
