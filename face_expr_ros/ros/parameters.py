"""ROS parameters of a config class: declared with description and range, validated before they are applied."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from face_expr_ros.core.settings import Setting, from_mapping, settings, without_rclpy_parameters

ConfigClass = TypeVar("ConfigClass")


class Parameters(Generic[ConfigClass]):
    """The parameters of one node and the config that they define.

    The node must have been created with ``automatically_declare_parameters_from_overrides=True``: only then are the
    values of its YAML file available before the parameters are declared, and unknown names are detected.

    A change at run time is validated in rclpy's set callback, which changes nothing, and applied in its post-set
    callback, when no other callback of the node has rejected it. Humble has no post-set callback: there a valid change
    is applied in the set callback.

    Args:
        node: the node that owns the parameters.
        config_class: its config class.
        live: names, or sections ending in a dot, that may change at run time; all others are read-only.
        check: raises ValueError if the node cannot apply a config; called before a change at run time.
        on_change: called with the new config after a change at run time.

    Raises:
        ConfigError: a parameter override does not exist, or its value is invalid.
    """

    def __init__(
        self,
        node: Node,
        config_class: type[ConfigClass],
        live: Sequence[str] = (),
        *,
        check: Callable[[ConfigClass], None] = lambda config: None,
        on_change: Callable[[ConfigClass], None] = lambda config: None,
    ) -> None:
        self._config_class = config_class
        self._check = check
        self._on_change = on_change
        overrides = parameter_overrides(node)
        self.config = from_mapping(config_class, overrides)
        self._values: dict[str, Any] = {}
        for entry in settings(config_class):
            value = entry.check(overrides.get(entry.name, entry.default))
            if node.has_parameter(entry.name):
                node.undeclare_parameter(entry.name)
            node.declare_parameter(entry.name, value, descriptor(entry, _is_live(entry, live)), ignore_override=True)
            self._values[entry.name] = value
        self._add_callbacks(node)

    def _add_callbacks(self, node: Node) -> None:
        if hasattr(node, "add_post_set_parameters_callback"):
            node.add_on_set_parameters_callback(self._validate)
            node.add_post_set_parameters_callback(self._apply)
        else:
            node.add_on_set_parameters_callback(self._validate_and_apply)

    def _validate(self, parameters: Sequence[Parameter[Any]]) -> SetParametersResult:
        try:
            self._check(self._config_with(self._changes(parameters)))
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply(self, parameters: Sequence[Parameter[Any]]) -> None:
        changes = self._changes(parameters)
        if not changes:
            return
        self.config = self._config_with(changes)
        self._values |= changes
        self._on_change(self.config)

    def _validate_and_apply(self, parameters: Sequence[Parameter[Any]]) -> SetParametersResult:
        result = self._validate(parameters)
        if result.successful:
            self._apply(parameters)
        return result

    def _changes(self, parameters: Sequence[Parameter[Any]]) -> dict[str, Any]:
        return {parameter.name: parameter.value for parameter in parameters if parameter.name in self._values}

    def _config_with(self, changes: Mapping[str, Any]) -> ConfigClass:
        return from_mapping(self._config_class, self._values | dict(changes))


def parameter_overrides(node: Node) -> dict[str, Any]:
    """The values of the command line and the YAML file for this node, without rclpy's own parameters."""
    return without_rclpy_parameters(
        {name: parameter.value for name, parameter in node.get_parameters_by_prefix("").items()}
    )


def descriptor(entry: Setting, live: bool) -> ParameterDescriptor:
    """The descriptor of a setting, which ``ros2 param describe`` shows."""
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
