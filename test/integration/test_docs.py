"""What the documents name exists: links, topics, parameters, verbs, options, launch arguments, modules, pictures."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from support.paths import ROOT

from face_expr_ros.cli import face_expr
from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.settings import settings

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bfm").glob("*.md")])
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
PARAMETERS = {entry.name for config in (PerceptionConfig, CameraConfig) for entry in settings(config)}
SECTIONS = {name.split(".")[0] for name in PARAMETERS if "." in name}
LARGEST_PICTURE = 300_000  # bytes


def section(title: str) -> str:
    """A chapter of the README, without those inside it that have a title of their own."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str, header: str) -> list[str]:
    """The names in backticks in the first column of the table whose first column is headed so."""
    table = re.search(rf"^\| {re.escape(header)} \|.*\n\|[-|]+\n((?:\|.*\n?)+)", text, re.MULTILINE)
    assert table, f"there is no table headed {header!r}"
    return [name for row in table[1].splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def matches(pattern: str) -> list[str]:
    """Everything that a pattern finds in any document, once each."""
    return sorted({found.rstrip() for text in TEXTS.values() for found in re.findall(pattern, text)})


def source(*names: str) -> str:
    return "".join((ROOT / "face_expr_ros" / name).read_text(encoding="utf-8") for name in names)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a document's titles."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[document]):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_readme_lists_the_topics_of_the_perception_node_and_no_others() -> None:
    published = set(re.findall(r'_publisher\([^"\n]*"([\w/]+)"', source("ros/outputs.py")))
    others = {"image", "image/compressed", "camera_info", "/diagnostics"}
    assert set(first_cells(section("Topics"), "topic")) == published | others
    assert '"/diagnostics"' in source("ros/diagnostics.py")


def test_the_readme_names_the_topics_of_the_camera_node() -> None:
    for topic in re.findall(r'_publisher\(\w+, "(\w+)"\)', source("nodes/camera.py")):
        assert f"`{topic}`" in section("Topics")


def test_the_readme_lists_the_services() -> None:
    offered = re.findall(r'create_service\(\w+, "([^"]+)"', source("nodes/perception.py"))
    assert first_cells(section("Topics"), "service") == offered


def test_the_readme_lists_every_message() -> None:
    listed = set(re.findall(r"^\| \[(\w+)\]\(msg/", section("Messages"), re.MULTILINE))
    assert listed == {path.stem for path in (ROOT / "msg").glob("*.msg")}


@pytest.mark.parametrize(
    ("header", "config"), [("parameter of `perception`", PerceptionConfig), ("parameter of `camera`", CameraConfig)]
)
def test_parameters_in_the_readme_exist_with_the_default_that_it_states(header: str, config: type) -> None:
    defaults = {entry.name: entry.default for entry in settings(config)}
    for row in re.findall(r"^\| `.*$", section("Parameters").split(f"| {header} |")[1].split("\n\n")[0], re.MULTILINE):
        names, stated = (re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[1:3])
        assert len(names) == len(stated)
        for name, value in zip(names, stated, strict=True):
            text = str(defaults[name])
            assert value == (text.lower() if isinstance(defaults[name], bool) else text), name


@pytest.mark.parametrize("name", matches(rf"`((?:{'|'.join(sorted(SECTIONS))})\.\w+)"))
def test_a_dotted_parameter_in_a_document_exists(name: str) -> None:
    assert name in PARAMETERS


@pytest.mark.parametrize("line", matches(r"ros2 launch face_expr_ros [^`#\n]+"))
def test_launch_files_and_arguments_in_documents_exist(line: str) -> None:
    file = line.split()[3]
    assert set(re.findall(r"(\w+):=", line)) <= launch_arguments(file)


def launch_arguments(file: str) -> set[str]:
    """The keys of a launch file's table of arguments, read without importing ROS's launch."""
    for statement in ast.parse((ROOT / "launch" / file).read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "ARGUMENTS":
            return set(ast.literal_eval(statement.value))
    raise AssertionError(f"{file} has no ARGUMENTS")


def test_the_readme_lists_the_arguments_of_both_launch_files() -> None:
    text = section("With ROS 2 installed")
    assert set(first_cells(text, "argument of `demo.launch.py`")) == launch_arguments("demo.launch.py")
    listed = re.search(r"perception node alone\. It has ([^;]*);", text)
    assert listed
    assert set(re.findall(r"`(\w+)`", listed[1])) == launch_arguments("perception.launch.py")


@pytest.mark.parametrize("line", matches(r"\bface_expr [a-z][^`#|\n]*") + matches(r"(?<=\./run )demo[^`#|\n]*"))
def test_verbs_and_options_in_documents_exist(line: str) -> None:
    command: click.Command = face_expr
    words = line.removeprefix("face_expr ").split()
    while isinstance(command, click.Group):
        verb = words.pop(0) if words else ""
        assert verb in command.commands, line
        command = command.commands[verb]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("word", matches(r"\./run ([a-z]+)"))
def test_what_run_is_asked_for_in_documents_exists(word: str) -> None:
    assert re.search(rf"^{word}\)", (ROOT / "run").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("module", matches(r"python -m (face_expr_ros[\w.]*)"))
def test_modules_that_documents_run_exist(module: str) -> None:
    found = find_spec(module)
    assert found is not None
    assert found.submodule_search_locations is None or find_spec(f"{module}.__main__")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_line_of_prose_fits_into_120_characters(document: Path) -> None:
    """Tables, pictures and commands are as long as they are."""
    lines = re.sub(r"^```.*?^```", "", TEXTS[document], flags=re.MULTILINE | re.DOTALL).splitlines()
    long = [line for line in lines if len(line) > 120 and not line.startswith(("|", "![", "    "))]
    assert not long


def test_every_picture_is_small_shown_and_drawn_by_the_projects_own_command() -> None:
    text = "".join(TEXTS.values())
    for file in (ROOT / "docs/pictures").iterdir():
        assert file.stat().st_size < LARGEST_PICTURE
        assert f"pictures/{file.name})" in text
        assert f'"{file.name}"' in source("docs_figures/figures.py")


def test_no_number_is_left_open_outside_the_table_of_measurements() -> None:
    assert README.count("TODO") == section("Measured").count("TODO")
    assert not [path for path, text in TEXTS.items() if path.name != "README.md" and "TODO" in text]
