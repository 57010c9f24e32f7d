"""The pages in docs/ are true."""
