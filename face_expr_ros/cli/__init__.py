"""`face_expr <verb>`: the verbs and the exit status. Each file declares the options of its verbs; the work is done in
other modules, which are imported when the verb is called.

Exit status 0: the work was done; 1: it was not; 2: wrong usage or input, with one sentence on stderr; 130: interrupted.
"""

from __future__ import annotations

import os
import sys

import click

from face_expr_ros import __version__
from face_expr_ros.cli import avatar, bags, calibrate, evaluate, files, models, run, soak, take, training, web
from face_expr_ros.cli.common import VERBOSE, add_verbose_option
from face_expr_ros.core.native_output import SHOW, lower_log_levels
from face_expr_ros.core.signals import terminate_as_interrupt

# Packages whose name is not that of their module.
PACKAGES = {"cv2": "opencv-python-headless", "pythonosc": "python-osc", "yaml": "PyYAML"}
_ROS_MODULES = ("ament_index_python", "rclpy", "tf2_ros")
_ROS_MESSAGES = ("_interfaces", "_msgs", "_srvs")  # ends of the names of message packages


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def face_expr() -> None:
    """Estimate head pose, face shape and expression from camera images."""


for verb in (
    run.demo, run.doctor, calibrate.calibrate, avatar.avatar, web.web, files.image, files.video, take.take,
    bags.annotate,
    bags.export, bags.replay, evaluate.evaluate, run.bench, soak.soak, models.fetch_models, training.synthesize,
    training.train,
):  # fmt: skip
    face_expr.add_command(verb)
add_verbose_option(face_expr)


def main() -> int:
    """Run a verb and return the exit status; SIGTERM interrupts it as Ctrl-C does."""
    verbose = VERBOSE in sys.argv
    os.environ.update({SHOW: "1"} if verbose else {})
    lower_log_levels()
    try:
        with terminate_as_interrupt():
            return face_expr(standalone_mode=False) or 0
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ModuleNotFoundError as error:
        if verbose:
            raise
        print(f"face_expr: {missing_module(error)}", file=sys.stderr)
        return 2
    except Exception as error:
        if verbose:
            raise
        if is_input_error(error):
            print(f"face_expr: {error}", file=sys.stderr)
            return 2
        bug = f"internal error, {type(error).__name__}: {error}"
        print(f"face_expr: {bug}; run it again with {VERBOSE} and report the traceback", file=sys.stderr)
        return 1


def missing_module(error: ModuleNotFoundError) -> str:
    """What to install for a module that cannot be imported."""
    if is_ros_module(error.name):
        return f"this verb requires ROS 2 ({error}): source a ROS 2 installation first, or use ./run"
    package = PACKAGES.get(error.name or "", error.name)
    return f"this verb requires {package}, which is not installed: pip install {package}"


def is_input_error(error: Exception) -> bool:
    """Whether an error is about the user's input, with a message for the user; any other error is a bug."""
    return isinstance(error, (ValueError, OSError)) or type(error).__module__.startswith("face_expr_ros.")


def is_ros_module(module: str | None) -> bool:
    """Whether a module is part of ROS 2 or of this package's generated messages."""
    package = (module or "").split(".")[0]
    return module == "face_expr_ros.msg" or package in _ROS_MODULES or package.endswith(_ROS_MESSAGES)
