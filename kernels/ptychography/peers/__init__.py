"""What the kernel is compared with."""
