"""SciPy, through adapters of the same form as our own ways."""
