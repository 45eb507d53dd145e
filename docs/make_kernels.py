"""Write docs/reference/kernels/ from the kernels' cards, sizes, implementations and options.

    python docs/make_kernels.py

`pages` returns the same without writing, so that a test can tell whether the pages are up to date.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path

from daasbench import registry
from daasbench.contracts import Implementation, Kernel

FOLDER = Path(__file__).resolve().parent / "reference/kernels"
TEXTS = {
    "stands_for": "Represents",
    "community": "Used for",
    "method": "Method",
    "leaves_out": "Not included",
    "tolerance": "Tolerance",
    "real_work": "Real work",
}


def main() -> None:
    """Write every page, and remove those of kernels that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)


def pages() -> Mapping[str, str]:
    """Return the text of each page by its file name."""
    kernels = [registry.kernel(name) for name in registry.kernels()]
    return {"index.md": index(kernels), **{f"{kernel.name}.md": page(kernel) for kernel in kernels}}


def index(kernels: list[Kernel]) -> str:
    """Return the page that lists the kernels."""
    rows = [
        f"| [{kernel.name}]({kernel.name}.md) | {kernel.card.title} | {kernel.card.stands_for} | {kernel.card.unit} "
        f"| {kernel.card.real_work} | {implementations(kernel)} |"
        for kernel in kernels
    ]
    head = ["Kernel", "Computes", "Represents", "Unit", "Real work", "Implementations"]
    table = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *rows]
    message = "The page of each kernel has its method, sizes, options and tolerance."
    return "\n".join(
        [
            "# Kernels",
            "",
            f"`docs/make_kernels.py` writes this page from the descriptions in the code. {message}",
            "",
            *table,
            "",
        ]
    )


def implementations(kernel: Kernel) -> str:
    """Return the implementations of a kernel in words, peers marked."""
    return ", ".join(f"{one.name} (peer)" if one.peer else one.name for one in kernel.implementations.values())


def page(kernel: Kernel) -> str:
    """Return the page of one kernel."""
    card = kernel.card
    lines = [f"# {kernel.name}", "", f"{card.title}. The unit of work is: {card.unit}.", ""]
    for field in TEXTS:
        if text := getattr(card, field):
            lines += [f"**{TEXTS[field]}.** {text}.", ""]
    lines += ["## Sizes", "", "| Size | Parameters |", "|---|---|"]
    for size, parameters in kernel.sizes.items():
        message = ", ".join(f"{name} {value}" for name, value in parameters.items())
        lines.append(f"| `{size}` | {message} |")
    lines += ["", "## Implementations", "", "The first implementation is the reference.", ""]
    lines += ["| Name | Kind | Runs on | Needs | Differences |", "|---|---|---|---|---|"]
    lines += [row(one) for one in kernel.implementations.values()]
    lines += judgements(kernel)
    lines += ["", "## Options", "", *options(kernel)]
    if card.literature:
        lines += ["", "## Literature", ""]
        lines += [f"- {one.text}" + (f", doi:{one.doi}" if one.doi else "") for one in card.literature]
    return "\n".join([*lines, ""])


def judgements(kernel: Kernel) -> list[str]:
    """Return the table of how results are judged that are not held to the definition; nothing if all are."""
    if not kernel.judgements:
        return []
    rows = []
    for word, meaning in kernel.judgements.items():
        whose = ", ".join(f"`{one.name}`" for one in kernel.implementations.values() if one.judged_as == word)
        rows.append(f"| `{word}` | {meaning} | {whose} |")
    head = [
        "",
        "## Judgements",
        "",
        "The results of these implementations are not compared with the definition alone (`judged_as`).",
        "",
    ]
    return [*head, "| Judged as | Meaning | Implementations |", "|---|---|---|", *rows]


def row(implementation: Implementation) -> str:
    """Return the table row of an implementation."""
    where = {"host": "processor, with threads" if implementation.threads else "processor, one thread", "cuda": "GPU"}
    where |= {"mpi": "MPI ranks", "dask": "workers of a Dask cluster"}
    needs = ", ".join([*(implementation.packages or implementation.requires), *implementation.programs])
    kind = "peer" if implementation.peer else "ours"
    backend = where.get(implementation.backend, implementation.backend)
    return f"| `{implementation.name}` | {kind} | {backend} | {needs} | {implementation.adds} |"


def options(kernel: Kernel) -> list[str]:
    """Return the options as their class documents them, in a block of text."""
    doc = inspect.getdoc(kernel.options) or ""
    _, _, attributes = doc.partition("Attributes\n----------\n")
    return ["```text", *attributes.rstrip().splitlines(), "```"] if attributes else ["None."]


if __name__ == "__main__":
    main()
