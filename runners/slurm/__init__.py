"""The runner ``slurm``: batch jobs on a site's cluster, submitted from this machine or over ssh."""

from .runner import SlurmRunner

__all__ = ["SlurmRunner"]
