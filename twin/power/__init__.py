"""From the meter to the rack inlets."""
