"""``twin-dash``: a local page to pick, filter and compare runs, and to start new ones."""
