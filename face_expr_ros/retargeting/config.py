"""Parameters of the node ``head_control``."""

from __future__ import annotations

from dataclasses import dataclass

from face_expr_ros.core.settings import setting

FOLLOW_MODES = ("nearest", "largest", "speaker")  # selection by score instead of by id; see follow.py


@dataclass(frozen=True)
class HeadControlConfig:
    """Parameters of the node ``head_control``; the joint table defines the mapping of each joint."""

    table: str = setting("neck", "joint table: neck or pan_tilt of the package, or the path of a YAML file")
    output: str = setting(
        "joint_state",
        "published topics: joint_targets (sensor_msgs/JointState), joint_trajectory "
        "(trajectory_msgs/JointTrajectory), or both",
        choices=("joint_state", "joint_trajectory", "both"),
    )
    joints: str = setting(
        "", "joints of the table to control, separated by spaces, for a controller that has only these; empty means all"
    )
    trajectory_delay: float = setting(
        0.2,
        "joint_trajectory: time from a decision to the motion; a controller that misses messages for at most as long "
        "stays within the limits",
        unit="s",
        minimum=0.02,
        maximum=1.0,
    )
    trajectory_lead: float = setting(
        0.0,
        "joint_trajectory: how far in the future a message starts, at most trajectory_delay; a few periods for "
        "controllers with allow_trajectory_replacement",
        unit="s",
        minimum=0.0,
        maximum=1.0,
    )
    calibration: str = setting(
        "",
        "path of the calibration.yaml of the person who is followed; not together with that of the node perception; "
        "empty is none",
    )
    rate: float = setting(50.0, "publishing rate", unit="Hz", minimum=5.0, maximum=1000.0)
    start: str = setting(
        "rest",
        "initial joint positions: the rest positions, or those measured on the topic joint_states; nothing is "
        "published until all joints have been measured",
        choices=("rest", "measured"),
    )
    follow: str = setting(
        "nearest",
        "face to follow: the nearest, the largest in the image, the one whose mouth moved most in the last second, or "
        "the one with the id face_id",
        choices=(*FOLLOW_MODES, "id"),
    )
    face_id: str = setting("", "with follow id: id of the face, such as f1; empty follows no face")
    switch_margin: float = setting(
        0.2,
        "relative margin by which another face must be nearer, larger or more active",
        minimum=0.0,
        maximum=10.0,
    )
    switch_after: float = setting(
        0.7,
        "time for which another face must exceed the margin, and for which a followed face must be out of view",
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    input_timeout: float = setting(
        1.0, "time without messages on faces after which no face is in view", unit="s", minimum=0.05, maximum=60.0
    )
    hold: float = setting(
        1.0,
        "time for which the joints hold their positions after a face is lost",
        unit="s",
        minimum=0.0,
        maximum=3600.0,
    )
    return_speed: float = setting(
        0.3, "fraction of each joint's velocity limit used to return to rest", minimum=0.01, maximum=1.0
    )
