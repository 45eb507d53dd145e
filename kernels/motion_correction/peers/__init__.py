"""Packages that the kernel is compared with, through adapters."""
