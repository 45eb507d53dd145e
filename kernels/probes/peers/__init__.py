"""Benchmarks of the field, through adapters of the same form as our own ways."""
