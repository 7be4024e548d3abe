"""A discrete-event digital twin of AI datacenters."""

__version__ = "0.1.0"
