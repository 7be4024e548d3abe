"""Fabrics that join servers."""
