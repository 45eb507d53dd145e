"""The command line: one module per command; nothing else in daasbench prints.

Exit codes: 0 done; 1 a case is wrong, failed or timed out, or a run on a platform would fail; 2 a wrong option or file;
3 unfinished; 4 the budget is too small; 70 internal error; 130 interrupted.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

import click

from daasbench.version import __version__

COMMANDS = {
    "doctor": ("daasbench.cli.doctor", "check what runs on this machine, or check a platform"),
    "list": ("daasbench.cli.catalogue", "list kernels, scenarios, platforms, runners and reports"),
    "show": ("daasbench.cli.catalogue", "show a kernel, scenario, platform or report, or the log of a run"),
    "init": ("daasbench.cli.init", "write a template of a scenario, a platform or a kernel"),
    "run": ("daasbench.cli.run", "measure a scenario, a kernel, or a kernel of your own"),
    "status": ("daasbench.cli.jobs", "list runs, their state and their queued jobs"),
    "collect": ("daasbench.cli.jobs", "fetch the records of queued jobs"),
    "cancel": ("daasbench.cli.jobs", "cancel queued jobs; their records are kept"),
    "results": ("daasbench.cli.results", "show or export the table of all measurements"),
    "report": ("daasbench.cli.report", "write a report from the records"),
}

EXIT_CODES = """\b
Exit codes:
  0    done
       run: every case is ok, skipped or submitted
  1    run: a case is wrong, failed or timed out
       doctor --platform: a run on it would fail
  2    a wrong option or file; nothing was run
  3    unfinished; to continue: run the same command again
       if jobs are in a queue: daasbench collect
  4    the budget is too small; nothing was run
  70   internal error; to see the traceback: --debug
  130  interrupted; everything measured is kept"""


class _OutputClosed(Exception):
    """Standard output was closed by its reader: ``daasbench results --csv - | head``."""


class _Commands(click.Group):
    """A group that imports a command when it is used, so that --help is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's form)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (click's form)
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), f"{cmd_name}_command")
        command.epilog = command.epilog or "Exit codes: see daasbench --help."
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would end with exit code 1: "a case is wrong"
            raise _OutputClosed from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from daasbench.errors import unknown

        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (as above)
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    no_args_is_help=False,  # click would call it a wrong usage
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="daasbench", help="Show the version and exit.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def daasbench(context: click.Context, debug: bool) -> None:  # noqa: ARG001  (main handles --debug)
    """Measure analysis kernels, verify every result, and write reports.

    \b
    daasbench run quickstart    measure on this machine
    daasbench report summary    write a page with the answer
    daasbench init kernel       measure code of your own
    """  # noqa: D301  (the character \b tells click not to fill these lines)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; only this function turns an exception into an exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal does not have becomes a question mark
            stream.reconfigure(errors="replace")
    debug = "--debug" in arguments
    raise SystemExit(_run([argument for argument in arguments if argument != "--debug"], debug=debug))


def _run(arguments: list[str], *, debug: bool) -> int:
    from daasbench.errors import DaasbenchError, MissingRequirement

    try:
        code = int(daasbench.main(arguments, prog_name="daasbench", standalone_mode=False) or 0)
        _flush()
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except click.ClickException as error:
        _print_error(_usage(error, arguments))
        code = 2
    except (click.Abort, KeyboardInterrupt) as error:
        kept = "interrupted; everything measured is kept: run the same command again to continue"
        _print_error("; ".join([kept, *getattr(error, "__notes__", [])]))
        code = 130
    except DaasbenchError as error:
        if debug:
            raise
        _print_error(str(error))
        code = 2 if isinstance(error, MissingRequirement) else error.exit_code
    except _OutputClosed:
        _flush()
        code = 0
    except Exception as error:
        if debug:
            raise
        _print_error(
            f"internal error: {type(error).__name__}: {error}; run again with --debug and report the traceback"
        )
        code = 70
    return code


def _flush() -> None:
    """Write the rest of standard output; drop it if its reader has closed it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: click.ClickException, arguments: Sequence[str]) -> str:
    """Return an error of click as one sentence with the command that shows help."""
    sentence = " ".join(error.format_message().split()).rstrip(".?")  # click lists the choices on lines with tabs
    sentence = sentence.replace(". Choose from: ", "; it is one of: ").replace(". Did you mean", "; did you mean")
    sentence = sentence.replace(". (", " (")
    command = next((argument for argument in arguments[:1] if argument in COMMANDS), "")
    prefix = f"{command}: " if command else ""
    return f"{prefix}{sentence[:1].lower()}{sentence[1:]}; see {' '.join(filter(None, ['daasbench', command]))} --help"


def _print_error(sentence: str) -> None:
    click.echo(f"daasbench: {' '.join(sentence.splitlines())}", err=True)


__all__ = ["COMMANDS", "EXIT_CODES", "daasbench", "main"]
