"""From the rack outlets to the outdoors."""
