"""Slurm: jobs that wait their turn on a site's cluster, here or over ssh."""

from .runner import SlurmRunner

__all__ = ["SlurmRunner"]
