"""The command line as a whole: registers the commands and turns every failure into a message and an exit
status.

Status 0: done. 1: a program was rejected, a test failed, a limit was exceeded. 2: the user can mend it, see
the message. 3: a defect of the tool. 130: interrupted. `run` adds the statuses of the guest.
"""

import traceback

import typer
from typer.exceptions import TyperException

from compiler.cli import output
from compiler.cli.asm import asm
from compiler.cli.bench import bench
from compiler.cli.build import build
from compiler.cli.clean import clean
from compiler.cli.compile import compile_program
from compiler.cli.doctor import doctor
from compiler.cli.explain import explain
from compiler.cli.image import image
from compiler.cli.list import list_all
from compiler.cli.run import run_image
from compiler.cli.test import test
from compiler.driver.errors import ToolError
from compiler.driver.paths import BUILD_FOLDER, ROOT

HELP = "Build, run and examine Tantalum images. Without a command: build the default image."

app = typer.Typer(
    help=HELP,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(build)
app.command("run")(run_image)
app.command("compile")(compile_program)
app.command()(image)
app.command()(asm)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(test)
app.command()(bench)
app.command()(doctor)
app.command("list")(list_all)
app.command()(explain)
app.command()(clean)


def run(arguments: list[str]) -> int:
    """Run one command line and return the exit status."""
    try:
        status: object = app(arguments or ["build"], prog_name="build.py", standalone_mode=False, obj=arguments)
        return status if isinstance(status, int) else 0
    except ToolError as error:
        output.say_error(error)
        return error.status
    except TyperException as error:
        usage = "see ./build.py --help, or ./build.py COMMAND --help"
        output.say_error(ToolError("B001", error.format_message(), fix=usage))
        return 2
    except (KeyboardInterrupt, typer.Abort):
        output.say_error(ToolError("B002", "interrupted"))
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        return _report_defect(arguments, error)


def _report_defect(arguments: list[str], error: Exception) -> int:
    """Write the traceback to a file, since it says nothing to users and all to maintainers."""
    report = BUILD_FOLDER / "defect.txt"
    report.parent.mkdir(exist_ok=True)
    report.write_text(f"./build.py {' '.join(arguments)}\n\n{''.join(traceback.format_exception(error))}")
    output.say_error(
        ToolError(
            "B003",
            f"a defect of the build tool: {type(error).__name__}: {error}",
            where=report.relative_to(ROOT),
            fix="this is not your fault; report it and attach the file",
        )
    )
    return 3
