"""Preflight checks of platforms and nodes: what a run there would lack."""
