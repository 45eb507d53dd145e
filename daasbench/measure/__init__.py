"""Measuring on one node: inputs, measuring processes, rounds, verification, and what a failure means."""
