"""Errors of joint tables and targets files: each is one sentence with file, line, expected and actual value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from face_expr_ros.core.settings import ConfigError
from face_expr_ros.retargeting.avatar_config import TargetConfig, load_targets
from face_expr_ros.retargeting.joints import Joint, load_joints

HUGE = "1" + 400 * "0"  # exceeds the range of float


def error_of(read: Callable[[str], object], path: Path | str) -> str:
    """The one-line error of a file."""
    with pytest.raises(ConfigError) as error:
        read(str(path))
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "line 1: while parsing a flow sequence expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n---\nb: 2", "line 2: expected a single document in the stream but found another document"),
        ("? [1]\n: 2", "found unhashable key"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("&a [*a]", "nested too deeply, or contains itself"),
        ("a: &a {b: *a}", "nested too deeply, or contains itself"),
        ("[" * 500, "nested too deeply, or contains itself"),
        ("\0", "special characters are not allowed"),
        ("a: !!binary x", "failed to decode base64"),
        ("joints: {neck: {source: \xe4", "codec can't decode"),
        ("a: 1\nb: {c: [{d: 1, d: 2}]}", "mine.yaml, line 2: key 'd' is repeated"),
        ("joints:\n  jaw: {gain: 1}\n  jaw: {gain: 2}", "mine.yaml, line 3: key 'jaw' is repeated"),
    ],
)
@pytest.mark.parametrize("read", [load_joints, load_targets])
def test_invalid_yaml_is_rejected_with_file_and_line(
    read: Callable[[str], object], tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="latin-1")
    error = error_of(read, file)
    assert words in error
    assert "mine.yaml" in error


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "Is a directory"),
        ("~/no such file.yaml", "No such file or directory"),
        ("~no_such_user/a.yaml", "home directory"),
        ("a\0b", "null byte"),
    ],
)
@pytest.mark.parametrize("read", [load_joints, load_targets])
def test_an_unreadable_path_is_rejected(read: Callable[[str], object], path: str, words: str) -> None:
    error = error_of(read, path)
    assert words in error
    assert repr(path) in error


def test_a_path_may_begin_with_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("targets: [{protocol: vmc}]")
    assert load_targets("~/mine.yaml") == (TargetConfig(protocol="vmc"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "mine.yaml: expected a mapping, got None"),
        ("joint: {}", "line 1: unknown key 'joint', did you mean 'joints'?"),
        ("joints: []", "joints: expected a mapping, got []"),
        ("joints: {}", "joints: expected at least 1 item, got {}"),
        ("joints: {neck: 3}", "joints.neck: expected a mapping, got 3"),
        ("targets: [{protocol: vmc}]", "unknown key 'targets'"),
    ],
)
def test_a_file_that_is_not_a_joint_table_is_rejected(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert words in error_of(load_joints, file)


ROW = "source: yaw, minimum: -1, maximum: 1, velocity: 2, acceleration: 8"
LIMITS = "expected minimum < maximum and minimum <= rest <= maximum, got"
BAD_ROWS = {
    "numeric name": (f"1: {{{ROW}}}", "joints: expected a string, got 1; write it in quotes to make it a string"),
    "null name": (f"null: {{{ROW}}}", "joints: expected a string, got None"),
    "empty name": (f"'': {{{ROW}}}", "joints: expected at least 1 character, got ''"),
    "key name": (f"a: {{{ROW}, name: b}}", "unknown key 'joints.a.name'"),
    "numeric key": (f"a: {{{ROW}, 5: 1}}", "unknown key 'joints.a[5]'"),
    "misspelled key": (f"a: {{{ROW}, gian: 1}}", "unknown key 'joints.a.gian', did you mean 'gain'?"),
    "misspelled required key": (f"a: {{{ROW.replace('velocity', 'velocty')}}}", "did you mean 'velocity'?"),
    "equal limits": (f"a: {{{ROW.replace('-1', '1')}, rest: 1}}", f"joints.a: {LIMITS} 1, 1 and 1"),
    "reversed limits": (f"a: {{{ROW.replace('-1', '3')}}}", f"joints.a: {LIMITS} 3, 0 and 1"),
    "rest outside": (f"a: {{{ROW}, rest: 1.5}}", f"joints.a: {LIMITS} -1, 1.5 and 1"),
    "infinite limit": (f"a: {{{ROW.replace('-1', '-.inf')}}}", "a.minimum: expected a finite number, got -inf"),
    "large limit": (f"a: {{{ROW.replace('-1', '-2.0e+6')}}}", "a.minimum: expected greater than or equal to -1000000"),
    "limit above float": (f"a: {{{ROW.replace('-1', '-' + HUGE)}}}", "a.minimum: expected a number, got -100"),
    "large velocity": (f"a: {{{ROW.replace('2', '1.0e+300')}}}", "a.velocity: expected less than or equal to 1000000"),
    "zero velocity": (f"a: {{{ROW.replace('2', '0')}}}", "a.velocity: expected greater than 0, got 0"),
    "negative acceleration": (f"a: {{{ROW.replace('8', '-8')}}}", "a.acceleration: expected greater than 0, got -8"),
    "negative dead band": (f"a: {{{ROW}, dead_band: -0.1}}", "a.dead_band: expected greater than or equal to 0, got"),
    "date": (f"a: {{{ROW.replace('-1', '2020-01-01')}}}", "a.minimum: expected a number, got datetime.date"),
    "quoted number": (
        f"a: {{{ROW}, gain: '1'}}",
        "a.gain: expected a number, got '1'; this is a string: write",
    ),
    "exponent without point": (f"a: {{{ROW}, gain: 1e3}}", "got '1e3'; this is a string: write numbers without quotes"),
    "null": (f"a: {{{ROW}, gain: }}", "a.gain: expected a number, got None"),
    "boolean for a number": (f"a: {{{ROW}, gain: true}}", "a.gain: expected a number, got True"),
    "string for a boolean": (f"a: {{{ROW}, relative: 'yes'}}", "a.relative: expected a boolean, got 'yes'"),
    "not a number": (f"a: {{{ROW}, offset: .nan}}", "a.offset: expected a finite number, got nan"),
    "large curve": (
        f"a: {{{ROW}, curve: [[-1.0e+308, 0], [1.0e+308, 1]]}}",
        "a.curve[0][0]: expected greater than or equal to -1000000, got -1e+308",
    ),
    "nan in curve": (f"a: {{{ROW}, curve: [[0, 0], [1, .nan]]}}", "a.curve[1][1]: expected a finite number, got nan"),
    "string for a curve": (f"a: {{{ROW}, curve: steep}}", "a.curve: expected a list, got 'steep'"),
    "one point": (f"a: {{{ROW}, curve: [[0, 1]]}}", "a.curve: expected two or more points [value, value]"),
    "equal points": (f"a: {{{ROW}, curve: [[0, 1], [0, 2]]}}", "with ascending first values, got [[0.0, 1.0], [0.0, 2"),
    "list of sources": (f"a: {{{ROW.replace('yaw', '[yaw, roll]')}}}", "a.source: expected a mapping, got ['yaw'"),
    "empty source": (f"a: {{{ROW.replace('yaw', '{}')}}}", "a.source: expected at least 1 item, got {}"),
    "numeric source": (f"a: {{{ROW.replace('yaw', '{3: 1}')}}}", "a.source: expected a string, got 3"),
    "misspelled source": (
        f"a: {{{ROW.replace('yaw', 'jawOpn')}}}",
        "a.source: expected a quantity of a face, got 'jawOpn', did you mean 'jawOpen'?",
    ),
    "string weight": (f"a: {{{ROW.replace('yaw', '{yaw: much}')}}}", "a.source.yaw: expected a number, got 'much'"),
    "infinite weight": (
        f"a: {{{ROW.replace('yaw', '{yaw: .inf}')}}}",
        "source.yaw: expected a finite number, got inf",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_an_invalid_joint_is_rejected_with_its_line(case: str, tmp_path: Path) -> None:
    row, words = BAD_ROWS[case]
    file = tmp_path / "mine.yaml"
    file.write_text(f"joints:\n  good: {{{ROW}}}\n  {row}")
    error = error_of(load_joints, file)
    assert error.startswith("mine.yaml, line ")
    assert words in error
    if "name" not in case or case == "key name":
        assert error.startswith("mine.yaml, line 3: ")


def test_the_steepest_curve_gives_a_position_within_the_limits() -> None:
    steep = Joint(
        source={"yaw": 1.0},
        minimum=-1.0,
        maximum=1.0,
        velocity=2.0,
        acceleration=8.0,
        curve=((-1e6, -1e6), (1e6, 1e6)),
        gain=1e308,
    )
    for value in (-1e308, -0.3, 0.0, 0.3, 1e308):
        assert -1.0 <= steep.target(value, 0.0) <= 1.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "targets: required key is missing"),
        ("targets: []", "targets: expected at least 1 item, got []"),
        ("targets: [{protocol: vmc}]\nrate: 3", "line 2: unknown key 'rate'"),
        ("targets: [{protocol: vmc}, {protocol: vmc, prot: 1}]", "unknown key 'targets[1].prot', did you mean 'port'?"),
        (
            "targets:\n- protocol: vmc\n  rate: fast",
            "mine.yaml, line 3: targets[0].rate: expected a number, got",
        ),
        (
            "targets: [{protocol: vmc, host: Studio}, {protocol: vmc, host: studio}]",
            "targets: expected one target per address, got two for studio:39539",
        ),
        (
            "targets: [{protocol: vmc}, {protocol: openseeface, port: 39539}]",
            "targets: expected one target per address, got two for 127.0.0.1:39539",
        ),
        (
            "targets: [{protocol: vmc, name: a}, {protocol: live_link, name: a}]",
            "targets: expected distinct names, got two targets named 'a'",
        ),
    ],
)
def test_an_invalid_targets_file_is_rejected(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert words in error_of(load_targets, file)


PROTOCOLS = "'vmc', 'live_link', 'ifacialmocap' or 'openseeface'"
BAD_TARGETS = {
    "zero rate": ("protocol: vmc, rate: 0", "rate: expected greater than or equal to 0.1, got 0"),
    "rate nan": ("protocol: vmc, rate: .nan", "rate: expected a finite number, got nan"),
    "rate above float": (f"protocol: vmc, rate: {HUGE}", "rate: expected a number, got 100"),
    "negative port": ("protocol: vmc, port: -1", "port: expected greater than or equal to 0, got -1"),
    "port out of range": ("protocol: vmc, port: 65536", "port: expected less than or equal to 65535, got 65536"),
    "port above float": (f"protocol: vmc, port: {HUGE}", "port: expected less than or equal to 65535, got 100"),
    "quoted port": ("protocol: vmc, port: '4000'", "port: expected an integer, got '4000'; this is a string"),
    "null host": ("protocol: vmc, host: ", "host: expected a string, got None"),
    "empty host": ("protocol: vmc, host: ''", "host: expected a host name or an IPv4 address without the port, got ''"),
    "blank host": ("protocol: vmc, host: ' '", "host: expected a host name or an IPv4 address"),
    "host with port": ("protocol: vmc, host: 10.0.0.2:39539", "without the port, got '10.0.0.2:39539'"),
    "URL": ("protocol: vmc, host: 'http://studio'", "got 'http://studio'"),
    "IPv6 address": ("protocol: vmc, host: '::1'", "IPv4 address without the port, got '::1'"),
    "long host": (f"protocol: vmc, host: {'a' * 64}.org", "host: expected a host name or an IPv4 address"),
    "misspelled face": ("protocol: vmc, face: Nearest", "or a face id, got 'Nearest', did you mean 'nearest'?"),
    "empty face": ("protocol: vmc, face: ''", "face: expected nearest, largest, speaker or a face id, got ''"),
    "numeric face": ("protocol: vmc, face: 1", "face: expected a string, got 1; write it in quotes"),
    "null protocol": ("protocol: ", f"protocol: expected {PROTOCOLS}, got None"),
    "unknown protocol": ("protocol: osc", f"protocol: expected {PROTOCOLS}, got 'osc'"),
    "no protocol": ("host: a", "protocol: required key is missing"),
    "null section": ("protocol: vmc, vmc: ", "vmc: expected a mapping, got None"),
    "numeric section": ("protocol: vmc, vmc: 3", "vmc: expected a mapping, got 3"),
    "dotted key": ("protocol: vmc, vmc.names: both", "unknown key 'targets[0].vmc.names', did you mean 'names'?"),
    "section of another protocol": (
        "protocol: vmc, live_link: {subject: me}",
        "expected settings of the protocol vmc only, got live_link",
    ),
    "mirrored points": ("protocol: openseeface, mirror: true", "mirror: expected false for openseeface"),
    "mapping for a string": ("protocol: vmc, host: {a: b}", "host: expected a string, got {'a': 'b'}"),
    "empty subject": ("protocol: live_link, live_link: {subject: ''}", "subject: expected 1 to 255 bytes, got ''"),
    "long subject": (f"protocol: live_link, live_link: {{subject: {'x' * 256}}}", "expected 1 to 255 bytes, got"),
}


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_an_invalid_target_is_rejected_with_its_line(case: str, tmp_path: Path) -> None:
    target, words = BAD_TARGETS[case]
    file = tmp_path / "mine.yaml"
    file.write_text(f"targets:\n- {{{target}}}")
    error = error_of(load_targets, file)
    assert error.startswith("mine.yaml, line 2: ")
    assert words in error


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "studio-2.local", "my_robot", "büro", "example.org."])
def test_a_valid_host_is_accepted(host: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"targets: [{{protocol: vmc, host: {host}, face: t12}}]", encoding="utf-8")
    (target,) = load_targets(str(file))
    assert (target.host, target.face) == (host, "t12")


def test_an_integer_is_accepted_for_a_float() -> None:
    target = TargetConfig.model_validate({"protocol": "vmc", "rate": 30})
    assert (target.rate, type(target.rate)) == (30.0, float)
