"""`face_expr <verb>`: the verbs and the exit status. Each file declares the options of its verbs; the work is done in
other modules, which are imported when the verb is called.

Exit status 0: the work was done; 1: it was not; 2: wrong usage or input, with one sentence on stderr; 130: interrupted.
"""

from __future__ import annotations

import sys

import click

from face_expr_ros import __version__
from face_expr_ros.cli import bags, evaluate, files, models, run, soak, training, web
from face_expr_ros.core.signals import terminate_as_interrupt

_ROS_MODULES = ("ament_index_python", "builtin_interfaces", "rcl_interfaces", "rclpy", "sensor_msgs", "std_msgs")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--traceback", is_flag=True, help="Show the traceback of an error.")
def face_expr(traceback: bool) -> None:
    """Estimate head pose, face shape and expression from camera images."""


for verb in (
    run.demo, run.doctor, run.calibrate, files.image, files.video, evaluate.evaluate, run.bench, soak.soak,
    models.fetch_models, training.synthesize, training.train, web.web, bags.annotate, bags.export, bags.replay,
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
        if "--traceback" in sys.argv or not is_ros_module(error.name):
            raise
        print(
            f"face_expr: this verb requires ROS 2 ({error}): source a ROS 2 installation first, or use ./run",
            file=sys.stderr,
        )
        return 2
    except Exception as error:
        if "--traceback" in sys.argv or not is_input_error(error):
            raise
        print(f"face_expr: {error}", file=sys.stderr)
        return 2


def is_input_error(error: Exception) -> bool:
    """Whether an error is about the user's input, with a message for the user; any other error is a bug."""
    return isinstance(error, (ValueError, OSError)) or type(error).__module__.startswith("face_expr_ros.")


def is_ros_module(module: str | None) -> bool:
    """Whether a module is part of ROS 2 or of this package's generated messages."""
    return module == "face_expr_ros.msg" or (module or "").split(".")[0] in _ROS_MODULES
