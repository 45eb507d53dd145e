"""Options of the kernel `sparse_eigen`."""

from daasbench.authoring import Options


class SparseEigenOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `sparse_eigen`: none; a size gives the length of the ring and the Lanczos steps."""
