"""The files in `deploy/` are well-formed and agree with each other.

No server reads them here. What the servers' own schemas can tell is checked.
"""

import json
import re
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
from google.protobuf import descriptor_pb2, message_factory, text_format, wrappers_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from packaging.specifiers import SpecifierSet
from tensorflow_serving.config import model_server_config_pb2

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
# The fields of messages that tensorflow-serving-api does not have, from TF-Serving's
# session_bundle_config.proto, monitoring_config.proto and ssl_config.proto.
FIELDS = {
    "BatchingParameters": {
        "max_batch_size": ".google.protobuf.Int64Value",
        "batch_timeout_micros": ".google.protobuf.Int64Value",
        "max_enqueued_batches": ".google.protobuf.Int64Value",
        "num_batch_threads": ".google.protobuf.Int64Value",
        "thread_pool_name": ".google.protobuf.StringValue",
    },
    "PrometheusConfig": {"enable": bool, "path": str},
    "MonitoringConfig": {"prometheus_config": ".deploy.PrometheusConfig"},
    "SSLConfig": {
        "server_key": str,
        "server_cert": str,
        "custom_ca": str,
        "client_verify": bool,
    },
}


def message_classes():
    file = descriptor_pb2.FileDescriptorProto(
        name="deploy.proto", package="deploy", syntax="proto3"
    )
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            added = message.field.add(name=field, number=number, label=1)
            if isinstance(kind, str):
                added.type, added.type_name = added.TYPE_MESSAGE, kind
            else:
                added.type = {bool: added.TYPE_BOOL, str: added.TYPE_STRING}[kind]
    pool = DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"deploy.{name}")
        )
        for name in FIELDS
    }


CONFIGS = {
    "models.config": model_server_config_pb2.ModelServerConfig,
    "batching.config": message_classes()["BatchingParameters"],
    "monitoring.config": message_classes()["MonitoringConfig"],
}


def config(name):
    return text_format.Parse((DEPLOY / name).read_text(), CONFIGS[name]())


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["serving"]


def resources():
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    return {document["kind"]: document for document in documents}


def container():
    (only,) = resources()["Deployment"]["spec"]["template"]["spec"]["containers"]
    return only


def check_compose(path):
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema"]
        + ["--builtin-schema", "vendor.compose-spec", path],
        capture_output=True,
        text=True,
    )


def test_models_config():
    (model,) = config("models.config").model_config_list.config
    assert model.name == "spinet_qsm"
    assert model.base_path == "/models/spinet_qsm"
    assert model.model_version_policy.latest.num_versions == 1


@pytest.mark.parametrize("number", range(2))
def test_the_version_policies_to_put_in_parse_too(number):
    lines = (DEPLOY / "models.config").read_text().splitlines()
    wanted = r"    #   (model_version_policy.*|version_labels.*)"
    options = [match[1] for line in lines if (match := re.fullmatch(wanted, line))]
    chosen = [options[:1], options[1:]][number]
    parsed = text_format.Parse("\n".join(chosen), model_server_config_pb2.ModelConfig())
    assert list(parsed.model_version_policy.specific.versions) == [[1], [1, 2]][number]
    assert dict(parsed.version_labels) == [{}, {"stable": 1, "canary": 2}][number]


def test_batching_config():
    parameters = config("batching.config")
    assert parameters.max_batch_size.value == 1
    assert parameters.num_batch_threads.value == 1
    # With which docs/serving.md counts the memory of a server.
    assert parameters.max_enqueued_batches.value == 4


def test_monitoring_config():
    assert config("monitoring.config").prometheus_config.enable


@pytest.mark.parametrize("name", CONFIGS)
def test_a_wrong_field_would_be_noticed(name):
    text = (DEPLOY / name).read_text() + "\nmax_size { value: 1 }\n"
    with pytest.raises(text_format.ParseError, match="max_size"):
        text_format.Parse(text, CONFIGS[name]())


def test_compose_follows_its_schema():
    result = check_compose(DEPLOY / "compose.yaml")
    assert result.returncode == 0, result.stdout


def test_a_wrong_compose_key_would_be_noticed(tmp_path):
    path = tmp_path / "compose.yaml"
    text = (DEPLOY / "compose.yaml").read_text()
    path.write_text(text.replace("    mem_limit:", "    memory_limit:"))
    result = check_compose(path)
    assert result.returncode == 1
    assert "memory_limit" in result.stdout


def test_compose_opens_nothing_to_the_network():
    service = compose()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert all(volume["read_only"] for volume in service["volumes"])
    assert service["read_only"] and service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("version", ["1.31", kubernetes_validate.latest_version()])
def test_kubernetes_resources_follow_their_schemas(version):
    documents = resources()
    assert set(documents) == {"Deployment", "Service", "PodDisruptionBudget"}
    for document in documents.values():
        kubernetes_validate.validate(document, version, strict=True)


def test_a_wrong_kubernetes_field_would_be_noticed():
    deployment = resources()["Deployment"]
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    only["readynessProbe"] = only.pop("readinessProbe")
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, "1.31", strict=True)


def test_kubernetes_labels_match():
    documents = resources()
    spec = documents["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    assert documents["Service"]["spec"]["selector"] == labels
    disruption = documents["PodDisruptionBudget"]["spec"]
    assert disruption["selector"]["matchLabels"] == labels
    assert 1 <= disruption["minAvailable"] < spec["replicas"]
    assert documents["Service"]["spec"]["clusterIP"] == "None"


def test_both_start_the_server_alike():
    assert compose()["image"] == container()["image"]
    image = re.fullmatch(r"tensorflow/serving:(\d+\.\d+\.\d+)", compose()["image"])
    requirements = (ROOT / "requirements.txt").read_text()
    (tensorflow,) = re.findall(r"^tensorflow(>=.*)$", requirements, re.MULTILINE)
    assert image[1] in SpecifierSet(tensorflow)
    memory = container()["resources"]["limits"]["memory"]
    assert compose()["mem_limit"].removesuffix("g") == memory.removesuffix("Gi")
    assert compose()["entrypoint"] == container()["command"]
    assert set(compose()["command"]) <= set(container()["args"])


def test_the_files_that_flags_name_are_there():
    paths = re.findall("=/config/([a-z.]+)", json.dumps(container()["args"]))
    assert sorted(paths) == sorted(CONFIGS)
    targets = {volume["target"] for volume in compose()["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in container()["volumeMounts"]}
    assert targets == {"/models", "/config"} < set(mounts)
    assert all(mounts[target]["readOnly"] for target in targets)
