"""SciPy, through adapters of the same form as the implementations."""
