"""What can be chosen of the probes."""

from typing import Literal

from daasbench.contracts import Options

Probe = Literal["triad", "read", "matmul_float32", "matmul_float64", "fft_float32"]


class ProbesOptions(Options, frozen=True, kw_only=True):
    """What can be chosen of the probes.

    Attributes
    ----------
    probe
        What is measured: ``triad`` and ``read`` (memory), ``matmul_float32``, ``matmul_float64`` and
        ``fft_float32`` (arithmetic).
    """

    probe: Probe = "triad"
