"""Settings of the nodes that hand faces on."""

from __future__ import annotations

from dataclasses import dataclass

from face_expr_ros.core.settings import setting

# Faces that are chosen by what they do, and not by their id: follow.py says how.
FOLLOWED = ("nearest", "largest", "speaker")


@dataclass(frozen=True)
class HeadControlConfig:
    """Settings of the node ``head_control``; what each joint does is in the joint table."""

    table: str = setting(
        "neck", "joint table: neck or pan_tilt, which come with the package, or the path of a YAML file"
    )
    output: str = setting(
        "joint_state",
        "what is published: joint_targets (sensor_msgs/JointState), joint_trajectory "
        "(trajectory_msgs/JointTrajectory), or both",
        choices=("joint_state", "joint_trajectory", "both"),
    )
    rate: float = setting(50.0, "targets published", unit="Hz", minimum=5.0, maximum=1000.0)
    start: str = setting(
        "rest",
        "where the joints are at first: at rest, or where the topic joint_states says; until that has named all of "
        "them nothing is published",
        choices=("rest", "measured"),
    )
    follow: str = setting(
        "nearest",
        "which face: the nearest, the largest in the image, the one whose mouth moved most in the last second, or "
        "the one with the id face_id",
        choices=(*FOLLOWED, "id"),
    )
    face_id: str = setting("", "the face that follow: id means, such as f1; empty follows nobody")
    switch_margin: float = setting(
        0.2, "another face must be nearer, larger or livelier by this part", minimum=0.0, maximum=10.0
    )
    switch_after: float = setting(
        0.7,
        "another face must be so for this long; also the wait for a followed face that is out of sight while others "
        "are in view",
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    input_timeout: float = setting(
        1.0, "silence of the topic faces after which nobody is in view", unit="s", minimum=0.05, maximum=60.0
    )
    hold: float = setting(1.0, "the joints stay this long where a face was lost", unit="s", minimum=0.0, maximum=3600.0)
    return_speed: float = setting(
        0.3, "part of each joint's velocity at which it goes back to rest", minimum=0.01, maximum=1.0
    )
