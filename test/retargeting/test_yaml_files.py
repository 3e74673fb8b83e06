"""Joint tables and targets files of somebody in a hurry: each is refused with what was wanted and what was given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from face_expr_ros.core.settings import ConfigError, from_mapping
from face_expr_ros.retargeting.avatar_config import TargetConfig, load_targets
from face_expr_ros.retargeting.joints import Joint, load_joints
from face_expr_ros.retargeting.yaml_files import read_yaml

HUGE = "1" + 400 * "0"  # a whole number that no float holds


def refusal(read: Callable[[str], object], path: Path | str) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(ConfigError) as refused:
        read(str(path))
    text = str(refused.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "line 1: while parsing a flow sequence expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n---\nb: 2", "line 2: expected a single document in the stream but found another document"),
        ("? [1]\n: 2", "found unhashable key"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("&a [*a]", "it is nested too deeply, or contains itself"),
        ("a: &a {b: *a}", "it is nested too deeply, or contains itself"),
        ("[" * 500, "it is nested too deeply, or contains itself"),
        ("\0", "special characters are not allowed"),
        ("a: !!binary x", "failed to decode base64"),
        ("\xe4", "codec can't decode"),
        ("a: 1\nb: {c: [{d: 1, d: 2}]}", "mine.yaml: d is there more than once, again in line 2"),
    ],
)
def test_what_is_no_yaml_is_refused_with_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="latin-1")
    for read in (lambda path: read_yaml(Path(path)), load_joints, load_targets):
        said = refusal(read, file)
        assert words in said
        assert "mine.yaml" in said


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
def test_a_path_that_leads_nowhere_is_refused(read: Callable[[str], object], path: str, words: str) -> None:
    said = refusal(read, path)
    assert words in said
    assert repr(path) in said


def test_a_path_may_begin_with_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("targets: [{protocol: vmc}]")
    assert load_targets("~/mine.yaml") == (TargetConfig(),)


ROW = "source: yaw, minimum: -1, maximum: 1, velocity: 2, acceleration: 8"
BAD_TABLES = {
    "a name that is a number": (f"1: {{{ROW}}}", "a joint's name must be a text"),
    "a name that is nothing": (f"null: {{{ROW}}}", "None was given"),
    "an empty name": (f"'': {{{ROW}}}", "'' was given"),
    "the key name": (f"a: {{{ROW}, name: b}}", "a has no key 'name'"),
    "a key that is a number": (f"a: {{{ROW}, 5: 1}}", "a has no key 5"),
    "no limits": (f"a: {{{ROW.replace('-1', '1')}}}", "a must have minimum < maximum, 1 was given for both"),
    "limits reversed": (f"a: {{{ROW.replace('-1', '3')}}}", "minimum <= rest <= maximum, 3, 0 and 1 were given"),
    "an endless limit": (f"a: {{{ROW.replace('-1', '-.inf')}}}", "a.minimum must be a number, -inf was given"),
    "a huge limit": (f"a: {{{ROW.replace('-1', '-2.0e+6')}}}", "from -1000000 to 1000000, -2000000.0 was given"),
    "a limit beyond floats": (f"a: {{{ROW.replace('-1', '-' + HUGE)}}}", "a.minimum must be a number, -100"),
    "a huge velocity": (f"a: {{{ROW.replace('2', '1.0e+300')}}}", "a.velocity must be from -1000000 to 1000000"),
    "a date": (f"a: {{{ROW.replace('-1', '2020-01-01')}}}", "a.minimum must be a number, datetime.date"),
    "a text that looks like a number": (f"a: {{{ROW}, gain: 1e3}}", "'1e3' was given; that is a text"),
    "nothing": (f"a: {{{ROW}, gain: }}", "a.gain must be a number, None was given"),
    "a curve beyond floats": (
        f"a: {{{ROW}, curve: [[-1.0e+308, 0], [1.0e+308, 1]]}}",
        "a.curve must be from -1000000 to 1000000, -1e+308 was given",
    ),
    "a curve with a hole": (f"a: {{{ROW}, curve: [[0, 0], [1, .nan]]}}", "a.curve must be a number, nan was given"),
    "a curve of words": (f"a: {{{ROW}, curve: steep}}", "a list of two or more [value, value], 'steep' was given"),
    "a list of sources": (f"a: {{{ROW.replace('yaw', '[yaw, roll]')}}}", "must be the name of a quantity or a table"),
    "a source that is a number": (f"a: {{{ROW.replace('yaw', '{3: 1}')}}}", "must be a quantity of a face, 3 was"),
    "an endless weight": (
        f"a: {{{ROW.replace('yaw', '{yaw: .inf}')}}}",
        "a.source.yaw must be a number, inf was given",
    ),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_joint_table_that_cannot_be_used_says_why(case: str, tmp_path: Path) -> None:
    table, words = BAD_TABLES[case]
    file = tmp_path / "mine.yaml"
    file.write_text(f"joints: {{{table}}}")
    said = refusal(load_joints, file)
    assert said.startswith(f"{file}: ")
    assert words in said


def test_another_file_is_no_joint_table_and_says_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("targets: [{protocol: vmc}]")
    assert "{'targets': [{'protocol': 'vmc'}]} was given" in refusal(load_joints, file)


def test_the_steepest_curve_that_is_allowed_gives_a_position_within_the_limits() -> None:
    steep = Joint("a", {"yaw": 1.0}, -1.0, 1.0, 2.0, 8.0, curve=((-1e6, -1e6), (1e6, 1e6)), gain=1e308)
    for value in (-1e308, -0.3, 0.0, 0.3, 1e308):
        assert -1.0 <= steep.target(value, 0.0) <= 1.0


BAD_TARGETS = {
    "no rate": ("protocol: vmc, rate: 0", "rate: expected a number from 0.1 to 240 (Hz), got 0"),
    "a rate that is no number": ("protocol: vmc, rate: .nan", "rate: expected a number from 0.1 to 240 (Hz), got nan"),
    "a rate beyond floats": (f"protocol: vmc, rate: {HUGE}", "rate must be a number from 0.1 to 240 (Hz), 100"),
    "a negative port": ("protocol: vmc, port: -1", "port: expected an integer from 0 to 65535, got -1"),
    "a port out of range": ("protocol: vmc, port: 65536", "port: expected an integer from 0 to 65535, got 65536"),
    "a port beyond floats": (f"protocol: vmc, port: {HUGE}", "port: expected an integer from 0 to 65535, got 100"),
    "a port in quotes": ("protocol: vmc, port: '4000'", "port: expected an integer from 0 to 65535, got '4000'"),
    "no host": ("protocol: vmc, host: ", "host: expected a string, got None"),
    "a host of spaces": ("protocol: vmc, host: ' '", "host must be a name or an IPv4 address"),
    "a host with its port": ("protocol: vmc, host: 10.0.0.2:39539", "without the port, which is a setting of its own"),
    "an address of the web": ("protocol: vmc, host: 'http://studio'", "'http://studio' was given"),
    "an IPv6 address": ("protocol: vmc, host: '::1'", "IPv4 address, without the port"),
    "a host too long": (f"protocol: vmc, host: {'a' * 64}.org", "host must be a name or an IPv4 address"),
    "a misspelled choice of faces": ("protocol: vmc, face: Nearest", "'Nearest' was given, did you mean nearest?"),
    "a face that is a number": ("protocol: vmc, face: 1", "face: expected a string, got 1"),
    "no protocol": ("protocol: ", "protocol: expected one of vmc, live_link, ifacialmocap, openseeface, got None"),
    "an empty section": ("protocol: vmc, vmc: ", "vmc must be a table of settings (vmc.names, vmc.neck_share, "),
    "a section that is a number": ("protocol: vmc, vmc: 3", "vmc.eye_bones), 3 was given"),
    "a dotted name": ("protocol: vmc, vmc.names: both", "names must be a key under the key vmc, 'vmc.names' was given"),
    "another's dotted name": ("protocol: vmc, live_link.subject: a", "subject must be a key under the key live_link"),
    "a table for a text": ("protocol: vmc, host: {a: b}", "host: expected a string, got {'a': 'b'}"),
    "no subject": ("protocol: live_link, live_link: {subject: ''}", "live_link.subject must have 1 to 255 bytes"),
    "a subject too long": (f"protocol: live_link, live_link: {{subject: {'x' * 256}}}", "must have 1 to 255 bytes"),
}


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_a_target_that_cannot_be_used_says_why(case: str, tmp_path: Path) -> None:
    target, words = BAD_TARGETS[case]
    file = tmp_path / "mine.yaml"
    file.write_text(f"targets: [{{{target}}}]")
    said = refusal(load_targets, file)
    assert said.startswith("mine.yaml, target 1: ")
    assert words in said


def test_a_host_in_other_letters_is_the_same_host(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("targets: [{protocol: vmc, host: Studio}, {protocol: vmc, host: studio}]")
    assert "two targets at studio:39539, one was wanted" in refusal(load_targets, file)


def test_two_targets_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("targets: [{protocol: vmc, name: a}, {protocol: live_link, name: a}]")
    assert "two targets of the name 'a', one was wanted" in refusal(load_targets, file)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "studio-2.local", "my_robot", "büro", "example.org."])
def test_a_host_that_may_exist_is_taken(host: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"targets: [{{protocol: vmc, host: {host}, face: t12}}]", encoding="utf-8")
    (target,) = load_targets(str(file))
    assert (target.host, target.face) == (host, "t12")


def test_a_whole_number_is_taken_for_a_setting_that_is_a_float() -> None:
    target = from_mapping(TargetConfig, {"protocol": "vmc", "rate": 30})
    assert (target.rate, type(target.rate)) == (30.0, float)
