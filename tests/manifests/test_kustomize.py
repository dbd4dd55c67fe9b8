"""deploy/ builds, and everything in it is part of a build."""

import shutil

import pytest
import yaml

from lint.build import DEPLOY, build, documents, kustomizations, objects, parts, yaml_files
from lint.pod import pods

PLACEHOLDER = "from-azure.env"
AGENT_IMAGE = "ghcr.io/akv-agent/akv-agent"


def images(docs):
    return {container.spec["image"] for pod in pods(docs) for container in pod.containers}


def test_every_use_can_be_applied_alone():
    expected = {DEPLOY / "seed", *(DEPLOY / "seed" / use for use in ("init", "sidecar", "exec"))}
    assert expected <= set(kustomizations("Kustomization"))


def test_every_file_is_part_of_a_kustomization():
    directories = kustomizations("Kustomization") + kustomizations("Component")
    reached = set().union(*(parts(directory) for directory in directories))
    assert set(yaml_files()) <= reached


def test_files_have_unix_line_ends_and_one_object_each():
    for path in yaml_files():
        assert b"\r" not in path.read_bytes(), path
    paths = [path for path, _ in objects()]
    assert len(paths) == len(set(paths))


def test_a_key_that_occurs_twice_is_refused():
    with pytest.raises(yaml.YAMLError, match="'kind' occurs twice"):
        documents("kind: A\nmetadata: {}\nkind: B\n")


def test_a_build_has_no_placeholder_left(built):
    assert PLACEHOLDER not in yaml.safe_dump_all(built)


def test_a_build_does_not_send_the_source_of_its_values(built):
    assert "azure" not in {doc["metadata"]["name"] for doc in built}


def test_azure_env_is_the_one_place_for_vault_tenant_and_client(tmp_path, kustomize):
    copy = shutil.copytree(DEPLOY / "seed", tmp_path / "seed")
    env = copy / "base" / "azure.env"
    given = dict(line.split("=", 1) for line in env.read_text().splitlines() if line and line[0] != "#")
    chosen = {
        "KEY_VAULT": "another-vault",
        "TENANT_ID": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
        "CLIENT_ID": "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb",
    }
    assert given.keys() == chosen.keys()
    env.write_text("".join(f"{key}={value}\n" for key, value in chosen.items()))

    text = build(copy)

    for key, value in chosen.items():
        # The provider class and whoever else needs it: the account, or the agent itself.
        assert text.count(value) == 2, key
        assert given[key] not in text, key


def test_the_image_can_be_replaced(tmp_path, kustomize):
    copy = shutil.copytree(DEPLOY / "seed", tmp_path / "seed")
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        "resources: [../seed]\n"
        f"images: [{{name: {AGENT_IMAGE}, newName: registry.example/akv-agent, newTag: 9.9.9}}]\n"
    )
    assert any(image.startswith(AGENT_IMAGE + ":") for image in images(documents(build(copy))))

    replaced = images(documents(build(overlay)))

    assert "registry.example/akv-agent:9.9.9" in replaced
    assert not any(image.startswith(AGENT_IMAGE) for image in replaced)
