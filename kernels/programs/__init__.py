"""Two programs as kernels, a small C program and DIALS; each is a TOML file (docs/how-to/own-program.md)."""

from pathlib import Path

from daasbench.authoring.command_file import load

_HERE = Path(__file__).parent

ring_sums = load(_HERE / "ring_sums.toml")
dials_spots = load(_HERE / "dials_spots.toml")
