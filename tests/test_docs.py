"""Flags, files and links that README and docs name are there."""

import re
import shlex

import pytest

from spinet_cli.arguments import build_parser
from spinet_cli.main import _OneLineParser
from tests import documented
from tests.conftest import ROOT

ALL_PAGES = [
    *documented.PAGES,
    documented.GENERATED,
    *sorted(ROOT.glob("*/*/README.md")),
    *sorted(ROOT.glob("deploy/*/*/README.md")),
    ROOT / "CHANGELOG.md",
]
FOREIGN_FLAGS = {
    # TF-Serving's and protoc's
    *("--enable_grpc_healthcheck_service", "--rest_api_port", "--ssl_config_file"),
    "--descriptor_set_in",
    # TensorBoard's, Python's, Docker's, ROMEO's, qsm-ci's, tfds's
    *("--logdir", "-m", "-t", "-f", "-B", "--params", "--set", "--config"),
}
ABSL = {"--flagfile", "--help"}
# Apache Beam's, to which `spinet-qsm bids` hands what it does not know.
BEAM = {"--direct_num_workers", "--direct_running_mode"}
# The users' own files, what commands write, and names that stand for others.
NOT_IN_THE_REPOSITORY = {
    *("FILE.keras", "best.keras", "last.keras", "validation.png", "invivo/"),
    "comparison.png",
    *("ssl.config", "chi.png", "variables/", "release.keras", "flags.txt"),
    *("DIR/", "derivatives/", "workflow/"),
}
FILE = re.compile(r"[\w.*/-]+\.(py|md|flags|yaml|config|toml|c|txt|sh|yml|keras|png)")


def name_of(page):
    return str(page.relative_to(ROOT))


def subcommand_flags():
    """The flags of `spinet-qsm` and all its subcommands."""
    parser = build_parser(_OneLineParser)
    (subparsers,) = parser._subparsers._group_actions
    parsers = [parser, *subparsers.choices.values()]
    return {flag for parser in parsers for flag in parser._option_string_actions}


def script_flags(path):
    """The flags a script defines, read from its text; a bool's negation too."""
    text = path.read_text()
    for module in re.findall(r"from ([\w.]+) import .*\bdefine_flags", text):
        text += (ROOT / f"{module.replace('.', '/')}.py").read_text()
    names = re.findall(r'(?:flags\.DEFINE_\w+|define_path)\(\s*"(\w+)"', text)
    bools = re.findall(r'flags\.DEFINE_bool\(\s*"(\w+)"', text)
    found = {f"--{name}" for name in names + [f"no{name}" for name in bools]}
    return found | set(re.findall(r'add_argument\(\s*"(--[\w-]+)"', text))


def script_of(words):
    """The file of `python FILE` or `python -m MODULE`, which must be there."""
    name = words[2].replace(".", "/") if words[1] == "-m" else words[1]
    candidates = [ROOT / name, ROOT / f"{name}.py", ROOT / "examples/python" / name]
    candidates.append(ROOT / name / "__main__.py")
    (path, *_) = [path for path in candidates if path.is_file()] or [None]
    assert path, f"no script {' '.join(words[:3])}"
    return path


def flags_in(words):
    return {word.split("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)}


def known_flags():
    scripts = [ROOT / "train.py", ROOT / "export.py", *ROOT.glob("benchmarks/*.py")]
    scripts += [*ROOT.glob("datasets/*/*.py"), *ROOT.glob("examples/python/*.py")]
    found = FOREIGN_FLAGS | ABSL | BEAM | subcommand_flags()
    return found.union(*map(script_flags, scripts))


def check_command(line):
    """A command's program has its flags, and `spinet-qsm` takes the whole line."""
    words = shlex.split(line)
    if words[0] == "spinet-qsm" and len(words) > 1:
        if {"--help", "--version"} & set(words):
            return
        _, others = build_parser(_OneLineParser).parse_known_args(words[1:])
        foreign = BEAM if words[1] == "bids" else set()
        assert flags_in(others) <= foreign, line
    elif words[0] == "python" and len(words) > 1 and words[1] != "-":
        path = script_of(words)
        assert flags_in(words[1:]) - {"-m"} - ABSL <= script_flags(path), line


@pytest.mark.parametrize("page", documented.PAGES, ids=name_of)
def test_commands_have_the_flags_they_are_given(page):
    lines = [
        command
        for block in documented.blocks(page)
        if block.kind == "commands"
        for command in documented.commands(block)
    ]
    for line in lines:
        for part in re.split(r"\n| ; ", line):
            part = part.strip()
            if part.split()[0] in ("spinet-qsm", "python"):
                check_command(part)
    for code in documented.inline_code(page):
        if code.split()[0] == "python" and len(code.split()) > 1:
            check_command(code)


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
def test_flags_in_the_text_are_known(page):
    known = known_flags()
    for code in documented.inline_code(page):
        unknown = flags_in(re.split(r"[\s`]+", code)) - known
        assert not unknown, code


def named_files(page):
    """What the text of a page has in code that looks like a file or a folder."""
    for code in documented.inline_code(page):
        for word in code.split():
            word = word.split("=")[-1].strip("(),:;")
            is_ours = not word.startswith("/")  # else of another machine
            if is_ours and (FILE.fullmatch(word) or re.fullmatch(r"[\w/]+/", word)):
                yield word


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
def test_files_in_the_text_are_there(page):
    names = {path.name for path in our_files()} | NOT_IN_THE_REPOSITORY
    places = [ROOT, page.parent, ROOT / "deploy", ROOT / "spinet_tf"]
    missing = [
        word
        for word in named_files(page)
        if word not in names and not any(any(place.glob(word)) for place in places)
    ]
    assert not missing


def test_every_file_that_is_not_ours_is_still_named():
    named = {word for page in ALL_PAGES for word in named_files(page)}
    assert named >= NOT_IN_THE_REPOSITORY


def test_every_foreign_flag_is_still_named():
    named = set()
    for page in ALL_PAGES:
        for code in documented.inline_code(page):
            named |= flags_in(re.split(r"[\s`]+", code))
    assert named >= FOREIGN_FLAGS


def our_files():
    folders = ("spinet_tf", "spinet_cli", "datasets", "benchmarks", "tests", "docs")
    for folder in (*folders, "configs", "deploy", "examples"):
        yield from (ROOT / folder).rglob("*.*")
    yield from ROOT.glob("*.*")


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for link in documented.links(page):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in documented.anchors(target), link


def test_every_page_is_in_the_list():
    linked = {
        link.partition("#")[0] for link in documented.links(ROOT / "docs/README.md")
    }
    pages = {path.name for path in ROOT.glob("docs/*.md")} - {"README.md"}
    assert pages <= linked
