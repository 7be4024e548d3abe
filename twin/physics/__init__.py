"""Pure equations used by two or more models."""
