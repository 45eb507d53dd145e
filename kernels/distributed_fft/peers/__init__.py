"""Packages that distributed_fft is compared with, through adapters."""
