"""``python -m daasbench``: the command line."""

from daasbench.cli import main

main()
