"""`.keras` files whose config names foreign classes, or arguments out of range."""

from tests.hostile.case import EITHER
from tests.hostile.keras_case import CONFIG, with_config, with_members


def cases():
    """All cases, `Case` each."""
    yield from _foreign_classes()
    yield from _wrong_arguments()


def _foreign_classes():
    inner = {"name": "x", "trainable": True, "dtype": "float32"}
    names = (
        *(("os", "system", None), ("subprocess", "Popen", None)),
        *(("builtins", "eval", None), ("builtins", "exec", "builtins>exec")),
        *(("keras.layers", "Lambda", None), ("keras.layers", "TFSMLayer", None)),
        *(
            ("keras.src.saving.saving_lib", "load_model", None),
            ("keras", "Model", None),
        ),
        *(("keras.utils", "get_file", None), ("keras.models", "Sequential", None)),
        *(("spinet_tf.model", "SpiNetQSM", "spinet_tf>SpiNetQSM2"),),
        *((None, "SpiNetQSM", "os>system"), ("this", "SpiNetQSM", None)),
        *(("antigravity", "x", None), ("os", "SpiNetQSM", "os>SpiNetQSM")),
        *((1, 2, 3), ([], {}, []), ("..", "../../evil", "../../evil")),
        *(("spinet_tf.denoiser", "Denoiser", "spinet_tf>Denoiser"),),
    )
    for module, class_name, registered in names:

        def rename(config, module=module, class_name=class_name, registered=registered):
            config.update(module=module, class_name=class_name)
            config.update(registered_name=registered)

        yield with_config(f"{module}.{class_name}, {registered}", rename)
    code = {
        "module": "builtins",
        "class_name": "function",
        "config": "system",
        "registered_name": "os>system",
    }
    values = {
        "a function": code,
        "os.system": {**code, "module": "os", "class_name": "system"},
        "code": {"class_name": "__lambda__", "config": {"value": "canary"}},
        "a Lambda": {
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": {**inner, "function": code},
            "registered_name": None,
        },
        "a tensor": {
            "class_name": "__tensor__",
            "config": {"value": [1], "dtype": "x"},
        },
        "a numpy array": {
            "class_name": "__numpy__",
            "config": {"value": 1, "dtype": "O"},
        },
        "bytes": {"class_name": "__bytes__", "config": {"value": "a"}},
        "an ellipsis": {"class_name": "__ellipsis__", "config": {}},
        "a slice": {"class_name": "__slice__", "config": {}},
        "a type": {"class_name": "__typespec__", "config": ["x"], "spec_name": "os"},
    }
    for name, value in values.items():
        for key in ("dtype", "filters", "name"):

            def put(config, key=key, value=value):
                config["config"][key] = value

            yield with_config(f"{name} as {key}", put)

    def build_config(config):
        config["build_config"] = {"input_shape": [10**9] * 5}

    def compile_config(config):
        config["compile_config"] = {"optimizer": values["a Lambda"], "loss": code}

    yield with_config("build_config", build_config, EITHER)
    yield with_config("compile_config", compile_config, EITHER)


def _wrong_arguments():
    nan = float("nan")
    for key, wrong in (
        ("unrolls", (0, -1, 10**9, 2.5, "2", None, [2], nan)),
        ("mm_steps", (0, -1, 10**9, "1")),
        ("channels", (0, 2, 3, 10**9, "1")),
        ("filters", (0, -4, 5, 10**6, 4.5, "4", None)),
        ("blocks", (0, -1, 2, 10**7, "1")),
        ("dropout", (-1, 2, "a", nan)),
        ("chi_std", (0, -1, nan, "a", float("inf"))),
        ("chi_mean", (nan, "a", float("inf"), [1])),
        ("initial_lambda", (0, -1, nan, "a")),
        ("initial_p", (0, 3, -1, nan, "a")),
        ("dc_value", (nan, "a", float("inf"))),
        ("tolerance", (nan, -1, "a", float("inf"))),
        ("max_iterations", (-1, 0, "a", 1.5, nan)),
        ("dtype", ("float8", "complex64", "a", 7, [])),
        ("batch_norm", (False, "a")),
        ("nonsense", (1,)),
    ):
        for value in wrong:

            def put(config, key=key, value=value):
                config["config"][key] = value

            yield with_config(f"{key} {value!r}", put)

    def raw(name, content):
        def edit(members):
            members[CONFIG] = content

        return with_members("config", name, edit)

    yield raw("nothing", b"")
    yield raw("not UTF-8", b"\xff\xfe{}")
    yield raw("a list", b"[]")
    yield raw("a number", b"7")
    yield raw("null", b"null")
    yield raw("an empty object", b"{}")
    yield raw("not JSON", b"{'a': 1}")
    yield raw("100000 deep", b"[" * 100_000 + b"]" * 100_000)
    deep = b'{"config": ' * 50_000 + b"1" + b"}" * 50_000
    yield raw("objects, 50000 deep", deep)
    yield raw("50 MB", b'{"a": "' + b"x" * 50_000_000 + b'"}')
    yield raw("a number of 100000 digits", b'{"config": ' + b"9" * 100_000 + b"}")
    yield with_config("no config", lambda config: config.pop("config") and None)
