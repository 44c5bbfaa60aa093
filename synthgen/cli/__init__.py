"""The command line: one file a command; each parses, calls the library and prints.

A command's module is imported only when it is asked for, and what it needs only when it runs, so ``--help`` is instant.
"""

import errno
import gc
import sys
import traceback
import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from synthgen.cli import _signals
from synthgen.cli._terminal import say
from synthgen.core import atomic
from synthgen.core.releases import __version__
from synthgen.errors import StoppedError, SynthgenError

COMMANDS = (
    "run", "plan", "finetune", "generate", "verify", "reproduce", "curate", "compare", "pack", "publish",
    "classifier-eval", "preview", "reader-study", "fetch", "phantom", "doctor",
)  # fmt: skip

# What a file system says when the path is wrong, and when there is no room; any other OSError is a bug of ours.
_REFUSALS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOENT,
    errno.ENAMETOOLONG, errno.ELOOP,
)  # fmt: skip
_ALLOCATIONS = 50_000  # objects that cycles are looked for after; Python's own is 700 or 2,000
_SHOWN = 100  # faults of one command
# What the machine lacks or its disk does; the same command goes on once that is mended.
_OF_THE_MACHINE = {
    errno.EIO: "look after the disk", errno.ESTALE: "see to it that the folder is there",
    errno.EMFILE: "let a process have more open files (`ulimit -n`)",
    errno.ENFILE: "close what holds files open", errno.ENOMEM: "make memory free",
    **dict.fromkeys(atomic.NO_ROOM, "make room"),
}  # fmt: skip


class _Commands(click.Group):
    """Finds a command by its module's name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order a study uses them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"synthgen.cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Suggest the nearest command for one there is not."""
        import difflib

        name = args[0]
        if not name.startswith("-") and name not in COMMANDS:
            close = difflib.get_close_matches(name, COMMANDS, n=1)
            advice = f"did you mean `{close[0]}`?" if close else "see `synthgen --help`"
            raise click.UsageError(f"no command `{name}`; {advice}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="synthgen %(version)s")
def cli() -> None:
    """Labelled synthetic image datasets by latent diffusion, from one manifest, to the byte.

    Example: synthgen run quickstart
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; a fault of the user's is one line, never a traceback.

    Python's collector of cycles looks through all that torch and diffusers define, again and again while they are
    imported and once more at the end: more than a second of a short command. So it looks seldom, and not at the end.
    """
    gc.set_threshold(_ALLOCATIONS, 10, 10)
    code = call(arguments)
    gc.freeze()
    sys.exit(code)


def call(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    faults: tuple[str, ...]
    try:
        with _signals.interrupting():
            return int(cli.main(arguments, prog_name="synthgen", standalone_mode=False) or 0)
    except _signals.Interrupted as interrupted:
        _let_go(interrupted)
        code, faults = StoppedError.exit_code, (_signals.STOPPED,)
    except SynthgenError as error:
        _let_go(error)
        code, faults = error.exit_code, error.faults
    except NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else str(error), err=True)
        return 2
    except click.ClickException as error:
        code, faults = error.exit_code, (_said(error),)
    except click.Abort:
        code, faults = 130, ("stopped",)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone, and nobody is left to tell
        return 1
    except OSError as error:
        code, faults = _of_the_file_system(error)
    except MemoryError:
        code, faults = (
            1,
            ("not enough memory; make some free, then run the same command again",),
        )
    with suppress(OSError):  # of a terminal that has hung up
        for fault in faults[:_SHOWN]:
            say(f"error: {fault}", err=True)
        if len(faults) > _SHOWN:
            say(f"error: and {len(faults) - _SHOWN:,} more like these", err=True)
    return code


def _let_go(error: BaseException) -> None:
    """Let go of what a command was at; work that it had prepared and not begun is no fault to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        traceback.clear_frames(error.__traceback__)


def _said(error: click.ClickException) -> str:
    """What click says of bad usage, on one line, and where an option goes that stands before the command."""
    said = " ".join(error.format_message().split())
    if isinstance(error, click.NoSuchOption) and error.ctx is not None and error.ctx.command is cli:
        return f"{said.rstrip('.')}; options come after the command, as in `synthgen run {error.option_name} ...`"
    return said


def _of_the_file_system(error: OSError) -> tuple[int, tuple[str]]:
    """Exit code and fault where the file system refuses; raises again what is a bug of ours."""
    where, what = error.filename or "a file", str(error.strerror).lower()
    if advice := _OF_THE_MACHINE.get(error.errno or 0):
        return 1, (f"{where}: {what}; {advice}, then run the same command again",)
    if error.errno in _REFUSALS:
        return 2, (f"{where}: {what}; choose another path, or see to it that it may be used",)
    raise error
