"""The representative kernels, one folder per kernel."""
