"""Weather, price and carbon of a place."""
