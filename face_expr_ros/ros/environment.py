"""What processes of a graph inherit when they are started from the command line."""

from __future__ import annotations

import os
import random
import sys

from face_expr_ros.core.resources import resource_path
from face_expr_ros.ros.fastdds_shared_memory import profile_path

OLD_DISTRIBUTIONS = ("humble", "iron", "jazzy")  # their Fast DDS reads its profile from another variable


def prepare_environment() -> None:
    """Give this process and its children a domain of their own and enough shared memory, unless the user has chosen."""
    if "ROS_DOMAIN_ID" not in os.environ:
        os.environ["ROS_DOMAIN_ID"] = str(random.randint(1, 101))
        domain = f"ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}"
        print(f"{domain} (export the same in another terminal to see the topics)", file=sys.stderr, flush=True)
    if profile_path(os.environ):
        return
    old = os.environ.get("ROS_DISTRO") in OLD_DISTRIBUTIONS
    variable = "FASTRTPS_DEFAULT_PROFILES_FILE" if old else "FASTDDS_DEFAULT_PROFILES_FILE"
    os.environ[variable] = str(resource_path("config/fastdds.xml"))
