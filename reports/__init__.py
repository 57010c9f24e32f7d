"""What comes out: stories, cases, tables, progress."""
