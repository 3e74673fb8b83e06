"""ROS parameters from a config class: declared with their meaning and bounds, checked before anything starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from face_expr_ros.core.settings import ConfigError, Setting, from_mapping, settings, without_rclpy_parameters

ConfigClass = TypeVar("ConfigClass")


class Parameters(Generic[ConfigClass]):
    """The parameters of one node and the config they make.

    The node must have been created with ``automatically_declare_parameters_from_overrides=True``: only then are the
    values of its YAML file visible before they are declared, and a name that does not exist can be told from silence.

    Args:
        node: the node that owns the parameters.
        config_class: its settings.
        live: names, or sections ending in a dot, that may change at run time; all others are read-only.
        on_change: called with the new config after a change at run time.

    Raises:
        ConfigError: a parameter that was given does not exist, or its value cannot be used.
    """

    def __init__(
        self,
        node: Node,
        config_class: type[ConfigClass],
        live: Sequence[str] = (),
        on_change: Callable[[ConfigClass], None] | None = None,
    ) -> None:
        self._config_class = config_class
        self._on_change = on_change
        given = given_values(node)
        self.config = from_mapping(config_class, given)
        self._values: dict[str, Any] = {}
        for entry in settings(config_class):
            value = entry.check(given.get(entry.name, entry.default))
            if node.has_parameter(entry.name):
                node.undeclare_parameter(entry.name)
            node.declare_parameter(entry.name, value, descriptor(entry, _is_live(entry, live)), ignore_override=True)
            self._values[entry.name] = value
        node.add_on_set_parameters_callback(self._set)

    def _set(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        changed = {parameter.name: parameter.value for parameter in parameters if parameter.name in self._values}
        try:
            self.config = from_mapping(self._config_class, self._values | changed)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._values |= changed
        if self._on_change and changed:
            self._on_change(self.config)
        return SetParametersResult(successful=True)


def given_values(node: Node) -> dict[str, Any]:
    """What the command line and the YAML file gave to this node, without rclpy's own parameters."""
    return without_rclpy_parameters(
        {name: parameter.value for name, parameter in node.get_parameters_by_prefix("").items()}
    )


def descriptor(entry: Setting, live: bool) -> ParameterDescriptor:
    """What ``ros2 param describe`` shows of a setting."""
    unit = f" [{entry.unit}]" if entry.unit else ""
    result = ParameterDescriptor(name=entry.name, description=entry.help + unit, read_only=not live)
    if entry.choices:
        result.additional_constraints = entry.expected()
    if entry.type is float and (entry.minimum is not None or entry.maximum is not None):
        result.floating_point_range = [_float_range(entry)]
    if entry.type is int and (entry.minimum is not None or entry.maximum is not None):
        result.integer_range = [_integer_range(entry)]
    return result


def _float_range(entry: Setting) -> FloatingPointRange:
    low = -sys.float_info.max if entry.minimum is None else float(entry.minimum)
    high = sys.float_info.max if entry.maximum is None else float(entry.maximum)
    return FloatingPointRange(from_value=low, to_value=high)


def _integer_range(entry: Setting) -> IntegerRange:
    low = -(2**63) if entry.minimum is None else int(entry.minimum)
    high = 2**63 - 1 if entry.maximum is None else int(entry.maximum)
    return IntegerRange(from_value=low, to_value=high, step=1)


def _is_live(entry: Setting, live: Sequence[str]) -> bool:
    return any(entry.name == name or (name.endswith(".") and entry.name.startswith(name)) for name in live)
