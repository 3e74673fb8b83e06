"""Environment variables of the processes that the command line starts."""

from __future__ import annotations

import os
import random
import sys

from face_expr_ros.core.resources import resource_path
from face_expr_ros.ros.fastdds_shared_memory import profile_path

FASTRTPS_DISTRIBUTIONS = ("humble", "iron", "jazzy")  # their Fast DDS reads FASTRTPS_DEFAULT_PROFILES_FILE


def prepare_environment() -> None:
    """Set a random ROS domain and the Fast DDS profile for this process and its children, unless the user has."""
    if "ROS_DOMAIN_ID" not in os.environ:
        os.environ["ROS_DOMAIN_ID"] = str(random.randint(1, 101))
        domain = f"ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}"
        print(f"{domain} (export it in another terminal to access the topics)", file=sys.stderr, flush=True)
    if profile_path(os.environ):
        return
    is_fastrtps = os.environ.get("ROS_DISTRO") in FASTRTPS_DISTRIBUTIONS
    variable = "FASTRTPS_DEFAULT_PROFILES_FILE" if is_fastrtps else "FASTDDS_DEFAULT_PROFILES_FILE"
    os.environ[variable] = str(resource_path("config/fastdds.xml"))
