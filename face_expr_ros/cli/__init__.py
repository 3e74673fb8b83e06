"""`face_expr <verb>`: the verbs and the exit status. Each file holds the options of its verbs; what a verb does lives
in a module of its own, imported when it is called.

Exit status 0: the work was done; 1: it was not; 2: wrong usage or input, with one sentence on stderr.
"""

from __future__ import annotations

import sys

import click

from face_expr_ros import __version__
from face_expr_ros.cli import bags, evaluate, files, models, run, training, web
from face_expr_ros.core.signals import terminate_as_interrupt

_ROS_MODULES = ("ament_index_python", "builtin_interfaces", "rcl_interfaces", "rclpy", "sensor_msgs", "std_msgs")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--traceback", is_flag=True, help="Show where an error came from.")
def face_expr(traceback: bool) -> None:
    """Faces from camera images: head pose, face shape, expression and a live mesh."""


for verb in (
    run.demo, run.doctor, run.calibrate, files.image, files.video, evaluate.evaluate, run.bench, models.fetch_models,
    training.synthesize, training.train, web.web, bags.annotate, bags.export,
    bags.replay,
):  # fmt: skip
    face_expr.add_command(verb)


def main() -> int:
    """Run a verb and return the exit status; SIGTERM interrupts it as Ctrl-C does."""
    try:
        with terminate_as_interrupt():
            return face_expr(standalone_mode=False) or 0
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ModuleNotFoundError as error:
        if "--traceback" in sys.argv or not is_of_ros(error.name):
            raise
        print(
            f"face_expr: this verb wants ROS 2, which is not here ({error}): source a ROS 2 first, or use ./run",
            file=sys.stderr,
        )
        return 2
    except Exception as error:
        if "--traceback" in sys.argv or not is_for_the_user(error):
            raise
        print(f"face_expr: {error}", file=sys.stderr)
        return 2


def is_for_the_user(error: Exception) -> bool:
    """Whether the text of an error is a sentence about the input; any other error is a mistake of this program."""
    return isinstance(error, (ValueError, OSError)) or type(error).__module__.startswith("face_expr_ros.")


def is_of_ros(module: str | None) -> bool:
    """Whether a module comes with ROS 2, or with the build of this package's messages."""
    return module == "face_expr_ros.msg" or (module or "").split(".")[0] in _ROS_MODULES
