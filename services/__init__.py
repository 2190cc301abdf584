"""Who speaks: one folder per process; they never import one another."""
