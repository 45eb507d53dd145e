"""What compiled kernels compute with: transforms of sixteen signals at once, transposes of 16 x 16 numbers."""
