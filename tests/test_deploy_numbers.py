"""The ports, names, times and memory in `deploy/` fit each other and the documents."""

import re

from spinet_tf.serving.saved_model import MAX_VOXELS
from tests.conftest import ROOT
from tests.test_deploy import DEPLOY, compose, config, container, resources


def option(words, name):
    """The value of `--name=value` among a server's arguments."""
    (word,) = (word for word in words if word.startswith(f"--{name}="))
    return word.partition("=")[2]


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def test_kubernetes_asks_and_sends_to_the_ports_that_are_open():
    arguments = container()["args"]
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    listened = {"grpc": "port", "rest": "rest_api_port"}
    assert ports == {k: int(option(arguments, v)) for k, v in listened.items()}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container()[probe]["tcpSocket"] == {"port": "grpc"}
    (port,) = resources()["Service"]["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (ports["grpc"], "grpc")


def test_compose_asks_and_opens_the_ports_that_are_open():
    port = option(compose()["command"], "port")
    assert compose()["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert compose()["healthcheck"]["test"][-1].endswith(f"/dev/tcp/127.0.0.1/{port}")
    assert compose()["expose"] == [option(compose()["command"], "rest_api_port")]


def test_who_computes_may_finish_before_the_end():
    pod = resources()["Deployment"]["spec"]["template"]["spec"]
    age = re.search(r"max_connection_age_ms=(\d+)", " ".join(container()["args"]))
    # Clients stay so long, and what they have sent by then takes its time, too.
    left = pod["terminationGracePeriodSeconds"] - int(age[1]) / 1000
    assert left >= 60
    assert seconds(compose()["stop_grace_period"]) >= 60


def test_volumes_are_called_what_the_text_says():
    text = (DEPLOY / "kubernetes.yaml").read_text()
    pod = resources()["Deployment"]["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    claim = volumes["models"]["persistentVolumeClaim"]["claimName"]
    assert re.findall(r'claim\n# "([a-z-]+)"', text) == [claim]
    files = volumes["config"]["configMap"]["name"]
    assert re.findall(r"kubectl create configmap ([a-z-]+) ", text) == [files]
    assert set(volumes) == {mount["name"] for mount in container()["volumeMounts"]}


def test_the_largest_volumes_fit_in_memory():
    text = (ROOT / "docs" / "serving.md").read_text()
    (fixed, each), *_ = re.findall(r"peak = (\d+) MB \+ (\d+) bytes x voxels", text)
    waiting = config("batching.config").max_enqueued_batches.value
    # As the text adds up: the network twice, the answer, and 16 bytes for who waits.
    bytes_each = int(each) + 16 + 16 * waiting
    needed = 2 * int(fixed) + bytes_each * MAX_VOXELS / 2**20
    assert f"{round(needed, -2):.0f} MB for 320^3" in text
    allowed = re.fullmatch(r"(\d+)g", compose()["mem_limit"])[1]
    assert needed <= int(allowed) * 1024
    assert f"`deploy/` allow {allowed} GB" in text
    assert compose()["memswap_limit"] == f"{allowed}g"
    memory = container()["resources"]
    assert memory["limits"]["memory"] == memory["requests"]["memory"] == f"{allowed}Gi"
