"""Answers: one module a report."""
