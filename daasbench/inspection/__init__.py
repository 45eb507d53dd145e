"""Preflight checks of platforms and nodes."""
