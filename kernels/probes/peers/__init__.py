"""Established benchmarks, through adapters of the same form as the implementations."""
