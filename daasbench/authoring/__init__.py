"""The public interface for kernel authors.

A kernel in a folder imports everything from here, for example ``from daasbench.authoring import Card, FolderKernel,
implementation``: its card and options, the resources that it may use, the verdicts of its oracle, the errors for bad
input, and the partition of a batch over MPI ranks or Dask workers. A kernel in one Python file needs only
``daasbench.kernel``.
"""

from daasbench.authoring.folder import FolderKernel, implementation
from daasbench.authoring.growth import Growth, along, doubling, edge
from daasbench.authoring.partition import partition_over_ranks, partition_over_workers, share
from daasbench.authoring.verdicts import worst_of
from daasbench.contracts import (
    OF_INPUT,
    Card,
    FilePath,
    Implementation,
    Options,
    Parameters,
    Partitioned,
    Reference,
    Resources,
)
from daasbench.errors import DaasbenchError, InputError, MissingRequirement, UsageError, unknown_sentence
from daasbench.model import Limit, Verdict, Work

__all__ = [
    "OF_INPUT",
    "Card",
    "DaasbenchError",
    "FilePath",
    "FolderKernel",
    "Growth",
    "Implementation",
    "InputError",
    "Limit",
    "MissingRequirement",
    "Options",
    "Parameters",
    "Partitioned",
    "Reference",
    "Resources",
    "UsageError",
    "Verdict",
    "Work",
    "along",
    "doubling",
    "edge",
    "implementation",
    "partition_over_ranks",
    "partition_over_workers",
    "share",
    "unknown_sentence",
    "worst_of",
]
