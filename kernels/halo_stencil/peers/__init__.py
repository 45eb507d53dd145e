"""Packages that halo_stencil is compared with, through adapters."""
