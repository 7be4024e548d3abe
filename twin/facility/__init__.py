"""The beat of a facility: IT energy, losses, heat, plant, and the limits that slow the work."""
