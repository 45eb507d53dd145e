"""The packages with which the kernel is compared."""
