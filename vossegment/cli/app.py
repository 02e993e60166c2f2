"""The command ``vossegment``: its sub-commands, and the one place where errors become exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vossegment.cli import bench, convert, demo, evaluate, info, track, train
from vossegment.errors import INTERRUPTED, OutputError, VossegmentError

app = typer.Typer(
    name="vossegment",
    help="Video object segmentation: a video and a box in, the object's exact mask in every frame out.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (track, demo, evaluate, train, convert, bench, info):
    app.command(_module.NAME, epilog=_module.EPILOG)(_module.command)


def _version(wanted: bool) -> None:
    if wanted:
        from vossegment import __version__

        typer.echo(f"vossegment {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _tell(message: str) -> None:
    print(f"vossegment: {message}", file=sys.stderr)


def run(arguments: list[str]) -> int:
    """Runs one command and gives its exit code; errors are told in one line on stderr."""
    verbose = "--verbose" in arguments or "-v" in arguments
    try:
        code = app(arguments or ["--help"], standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code by itself
            _tell("interrupted")
        return code if isinstance(code, int) else 0
    except VossegmentError as error:
        failure: Exception = error
        message, exit_code = str(error), error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        _tell("interrupted")
        return INTERRUPTED
    except ImportError as error:
        failure, exit_code = error, 1
        message = f"{error}; install vossegment again with its dependencies"
        if "libGL" in str(error) or "libgthread" in str(error):
            message = (
                "OpenCV needs libGL and GLib, which this machine lacks: apt-get install libgl1 libglib2.0-0 "
                "(or pip install opencv-python-headless in place of opencv-python)"
            )
    except OSError as error:
        # What can be foreseen is told where it is known; the rest is most often a full disk.
        failure, message, exit_code = error, str(error), OutputError.exit_code
    except Exception as error:
        failure = error
        # A wrong call, as typer tells it; its class lies elsewhere in each version, with click or without.
        usage = getattr(error, "format_message", None)
        exit_code = 2 if usage else 1
        message = (
            usage()
            if usage
            else f"a defect: {type(error).__name__}: {error} (run again with --verbose, and please report it)"
        )
    if verbose:
        import traceback

        traceback.print_exception(failure)
    _tell(" ".join(message.split("\n", 1)[0].split()) + ("\n" + message.split("\n", 1)[1] if "\n" in message else ""))
    return exit_code


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
