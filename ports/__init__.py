"""Other targets than the abstract machine: what runs here is real, and is asked the same questions."""
