"""Flagfiles, JSON sidecars, certificates and folders of models that are nonsense."""

import json
import os

from tests.hostile.case import REFUSED, Case, reconstruct

SCRIPTS = ("train.py", "export.py")
FOLDERS = {"train.py": "--run_dir=out/run", "export.py": "--output_dir=out/served"}
DEEP = 100_000


def cases():
    """All cases, `Case` each."""
    yield from _flagfiles()
    yield from _settings()
    yield from _certificates()
    yield from _saved_models()


def _flagfiles():
    contents = {
        "binary": bytes(range(256)) * 40,
        "of no UTF-8": b"--method=\xff\xfe\n",
        "unknown flag": b"--nonsense=1\n",
        "missing value": b"--mask\n",
        "no flag": b"reconstruct\n",
        "escape codes": b"--\x1b[31m=1\n",
        "a NUL": b"--output=a\0b\n",
        "a line of 10 MB": b"--nonsense=" + b"x" * 10**7 + b"\n",
        "a million lines": b"--nonsense=1\n" * 10**6,
        "itself": b"--flagfile=bad.flags\n",
        "each other": b"--flagfile=other.flags\n",
        "another that is missing": b"--flagfile=none.flags\n",
        "/dev/zero": b"--flagfile=/dev/zero\n",
        "/dev/stdin": b"--flagfile=/proc/self/mem\n",
        "its folder": b"--flagfile=.\n",
        "no file": b"--flagfile=\n",
        "outputs": b"--output=/dev/full\n--run_dir=/dev/full\n",
    }
    for name, content in contents.items():
        for program in ("spinet-qsm", *SCRIPTS):

            def make(folder, scan, content=content, program=program):
                (folder / "bad.flags").write_bytes(content)
                (folder / "other.flags").write_bytes(b"--flagfile=bad.flags\n")
                if program == "spinet-qsm":
                    return [*reconstruct(scan), "--flagfile=bad.flags", "--nothing=1"]
                words = (FOLDERS[program], "--flagfile=bad.flags", "--nothing=1")
                return [program, *words]

            yield Case("flagfiles", f"{program}, {name}", make)
    for name, place in (
        ("a folder", lambda path: path.mkdir()),
        ("/dev/zero", lambda path: path.symlink_to("/dev/zero")),
        ("a FIFO", os.mkfifo),
        ("a loop of links", lambda path: path.symlink_to(path)),
    ):
        for program in ("spinet-qsm", *SCRIPTS):

            def make(folder, scan, place=place, program=program):
                place(folder / "bad.flags")
                start = reconstruct(scan) if program == "spinet-qsm" else [program]
                return [*start, "--flagfile=bad.flags"]

            yield Case("flagfiles", f"{program}, {name}", make, "flag")


def _settings():
    """What QSM-CI hands over: params.json and config.json."""
    good = {"voxel_size": [1.1, 0.9, 1.6], "B0_dir": [0, 0, 1]}
    texts = {
        "nothing": "",
        "not JSON": "{'a': 1}",
        "a list": "[]",
        "null": "null",
        "nested lists": "[" * DEEP + "]" * DEEP,
        "nested objects": '{"a": ' * DEEP + "1" + "}" * DEEP,
        "50 MB": '{"a": "' + "x" * 5 * 10**7 + '"}',
        "a number of 10000 digits": '{"voxel_size": [' + "9" * 10_000 + ", 1, 1]}",
        "NaN": '{"voxel_size": [NaN, 1, 1], "B0_dir": [0, 0, 1]}',
        "Infinity": '{"voxel_size": [1, 1, Infinity], "B0_dir": [0, 0, 1]}',
        "1e400": '{"voxel_size": [1, 1, 1e400], "B0_dir": [0, 0, 1]}',
        "escape codes": '{"voxel_size": "\\u001b[31m\\u0007"}',
    }
    for value in (
        None,
        1,
        "a",
        "1 1",
        [1, 1],
        [1, 1, "a"],
        {"x": 1},
        [[1], 1, 1],
        True,
    ):
        for key in good:
            texts[f"{value!r} as {key}"] = json.dumps({**good, key: value})
    contents = {name: text.encode() for name, text in texts.items()}
    contents["no UTF-8"] = b"\xff\xfe{}"
    contents["UTF-16"] = '{"voxel_size": 1}'.encode("utf-16")
    for file_name in ("params.json", "config.json"):
        for name, content in contents.items():
            if file_name == "config.json" and " as " in name:
                continue
            if file_name == "config.json" and name in HARMLESS_CONFIGS:
                continue
            make = _qsm_ci(file_name, content, good)
            yield Case("JSON settings", f"{file_name}, {name}", make, "", REFUSED)
    for value in ("float8", 7, None, ["float32"], {}, "\x1b[31m", True):
        if value is not None:
            content = json.dumps({"precision": value}).encode()
            make = _qsm_ci("config.json", content, good)
            yield Case("JSON settings", f"precision {value!r}", make)


HARMLESS_CONFIGS = {"NaN", "Infinity", "1e400", "escape codes", "50 MB"} | {
    "a number of 10000 digits",
    "UTF-16",
}
"""Without a precision a config.json sets nothing."""


def _qsm_ci(file_name, content, good):
    def make(folder, scan):
        (folder / "localfield.nii.gz").symlink_to(scan / "field.nii.gz")
        (folder / "mask.nii.gz").symlink_to(scan / "mask.nii.gz")
        (folder / "params.json").write_text(json.dumps(good))
        (folder / file_name).write_bytes(content)
        return ["recon.py", str(folder), "out"]

    return make


def _certificates():
    for name, content in (
        ("nothing", b""),
        ("text", b"text"),
        (
            "no certificate",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        ("binary", bytes(range(256))),
    ):

        def make(folder, scan, content=content):
            (folder / "bad.pem").write_bytes(content)
            flags = {"method": None, "server": "localhost:1", "timeout": "2"}
            return reconstruct(scan, **flags, **{"tls-ca": folder / "bad.pem"})

        yield Case("certificates", name, make)
    for name, place in (
        ("a folder", lambda path: path.mkdir()),
        ("/dev/zero", lambda path: path.symlink_to("/dev/zero")),
        ("a FIFO", os.mkfifo),
        ("missing", lambda path: None),
    ):

        def make(folder, scan, place=place):
            place(folder / "bad.pem")
            flags = {"method": None, "server": "localhost:1", "timeout": "2"}
            return reconstruct(scan, **flags, **{"tls-ca": folder / "bad.pem"})

        yield Case("certificates", name, make, "bad.pem")


def _saved_models():
    for name, content in (
        ("nothing", b""),
        ("text", b"saved_model_schema_version: 1\n" * 50),
        ("zeros", bytes(10_000)),
        ("a length of 4 GB", b"\x12\xff\xff\xff\xff\x0f" + b"a" * 100),
        ("nested groups", b"\x0b" * 100_000),
    ):
        for file_name in ("saved_model.pb", "saved_model.pbtxt"):

            def make(folder, scan, file_name=file_name, content=content):
                (folder / "served" / "1").mkdir(parents=True)
                (folder / "served" / "1" / file_name).write_bytes(content)
                return ["spinet-qsm", "serve", "--model-dir=served", "--port=0"]

            yield Case("SavedModels", f"{file_name}, {name}", make, "served")
