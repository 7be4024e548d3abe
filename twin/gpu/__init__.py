"""GPU servers: what they draw and what heat does to them."""
