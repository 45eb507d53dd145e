"""What kernels compute with: backends, SIMD instructions, addresses, transforms of sixteen signals, transposes."""
