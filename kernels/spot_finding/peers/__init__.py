"""Production packages with which the kernel is compared, each through an adapter."""
