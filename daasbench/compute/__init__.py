"""Tools that kernels share: backends, SIMD instructions, addresses, transforms of sixteen signals, transposes."""
