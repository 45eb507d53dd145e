"""Production packages that the kernel is compared with, each through one adapter."""
