"""The representative kernels: what is computed, one folder a kernel."""
