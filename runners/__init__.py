"""Ways to get to a platform."""
