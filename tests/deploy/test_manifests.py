import itertools
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from deploy.local.responder import WORKER_GRACE_SECONDS
from deploy.local.temporal import DYNAMIC_CONFIG, PRAGMAS, RETENTION
from workers.settings import PREFIX, Settings
from workflows.efforts import Queue

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
SCHEMA = json.loads(
    (ROOT / "tests" / "fixtures" / "kubernetes" / "deployment.schema.json").read_text()
)
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yml").read_text())

MANIFESTS = [
    manifest
    for path in sorted(KUBERNETES.glob("*.yml"))
    for manifest in yaml.safe_load_all(path.read_text())
]
DEPLOYMENTS = {
    manifest["metadata"]["name"]: manifest
    for manifest in MANIFESTS
    if manifest["kind"] == "Deployment"
}
EACH = pytest.mark.parametrize("manifest", DEPLOYMENTS.values(), ids=DEPLOYMENTS.keys())


def pod(manifest):
    return manifest["spec"]["template"]["spec"]


def container(manifest):
    [only] = pod(manifest)["containers"]
    return only


def queues(manifest):
    arguments = container(manifest)["args"]
    return {after for word, after in itertools.pairwise(arguments) if word == "--queue"}


def secrets(manifest):
    """The names of the secrets that a pod is given, in whatever way."""
    only = container(manifest)
    found = [each.get("secretRef") for each in only.get("envFrom", [])]
    found += [each.get("valueFrom", {}).get("secretKeyRef") for each in only.get("env", [])]
    volumes = {
        volume["secret"]["secretName"] for volume in pod(manifest)["volumes"] if "secret" in volume
    }
    return {each["name"] for each in found if each} | volumes


def names_of_settings():
    values = [*DEPLOYMENTS.values()]
    for manifest in values:
        yield from (each["name"] for each in container(manifest).get("env", []))
    for manifest in MANIFESTS:
        if manifest["kind"] == "ConfigMap":
            yield from manifest["data"]
    for service in COMPOSE["services"].values():
        yield from service.get("environment", {})


def has_setting(variable: str) -> bool:
    model = Settings
    for part in variable.removeprefix(PREFIX).lower().split("__"):
        if part not in model.model_fields:
            return False
        model = model.model_fields[part].annotation
    return True


@EACH
def test_kubernetes_knows_every_field(manifest):
    jsonschema.Draft202012Validator(SCHEMA).validate(manifest)


def test_the_schema_refuses_a_misspelt_field():
    wrong = json.loads(json.dumps(DEPLOYMENTS["responder-door"]))
    container(wrong)["livenesProbe"] = {}

    with pytest.raises(jsonschema.ValidationError, match="livenesProbe"):
        jsonschema.Draft202012Validator(SCHEMA).validate(wrong)


def test_every_queue_is_served_by_one_deployment():
    served = [queues(manifest) for manifest in DEPLOYMENTS.values()]

    assert set().union(*served) == set(Queue)
    assert sum(map(len, served)) == len(Queue)


def test_only_changes_is_given_what_can_change_production():
    holders = {
        name
        for name, manifest in DEPLOYMENTS.items()
        if any("changes" in secret for secret in secrets(manifest))
    }

    assert holders == {"responder-changes"}
    assert queues(DEPLOYMENTS["responder-changes"]) == {Queue.CHANGES}
    assert secrets(DEPLOYMENTS["responder-door"]) == {"responder-door"}


def test_changes_is_never_two_processes():
    spec = DEPLOYMENTS["responder-changes"]["spec"]

    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


@EACH
def test_a_pod_is_nobody_and_writes_nowhere_but_where_it_must(manifest):
    whole, only = pod(manifest)["securityContext"], container(manifest)["securityContext"]

    assert whole["runAsNonRoot"] is True
    assert whole["runAsUser"] >= 10_000
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(manifest)["automountServiceAccountToken"] is False


@EACH
def test_a_pod_is_looked_at_and_given_time_to_end(manifest):
    only = container(manifest)
    ports = {port["name"] for port in only["ports"]}

    assert only["startupProbe"]["httpGet"]["port"] in ports
    assert only["livenessProbe"]["httpGet"]["port"] in ports
    assert pod(manifest)["terminationGracePeriodSeconds"] >= WORKER_GRACE_SECONDS


@EACH
def test_a_pod_mounts_what_it_has(manifest):
    mounted = {mount["name"] for mount in container(manifest)["volumeMounts"]}

    assert mounted == {volume["name"] for volume in pod(manifest)["volumes"]}


def test_no_secret_stands_in_a_manifest():
    assert not [each for each in MANIFESTS if each["kind"] == "Secret"]


@pytest.mark.parametrize("variable", sorted(set(names_of_settings())))
def test_every_variable_is_one_that_somebody_reads(variable):
    assert variable in {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"} or has_setting(variable)


def test_everything_kustomized_is_there():
    [listed] = [each["resources"] for each in MANIFESTS if each["kind"] == "Kustomization"]

    assert {*listed, "kustomization.yml"} == {path.name for path in KUBERNETES.glob("*.yml")}


def test_compose_runs_temporal_as_the_embedded_stack_does():
    command = COMPOSE["services"]["temporal"]["command"]

    assert {f"--sqlite-pragma={name}={value}" for name, value in PRAGMAS.items()} <= set(command)
    assert {
        f"--dynamic-config-value={name}={value}" for name, value in DYNAMIC_CONFIG.items()
    } <= set(command)
    hours = int(RETENTION.total_seconds() // 3600)
    assert f"--retention={hours}h" in COMPOSE["services"]["namespace"]["command"]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_container_is_read_only_and_shown_to_this_machine_alone(name):
    service = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
