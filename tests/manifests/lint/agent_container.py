"""How a container runs the agent, and what it tells it.

Reads only what the rules need; whether the configuration as a whole is right is for the agent's own
parser to say.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml

from .pod import find

BINARY = "akv-agent"
# Where the image has it.
IN_IMAGE = "/usr/local/bin/akv-agent"
USES = {"init", "sidecar", "exec", "install"}
DEFAULT_CONFIG = "/etc/akv-agent/config.yaml"
DEFAULT_EXIT = 42


def repository(image):
    """The last part of an image's name, without registry, tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def is_agent_image(container):
    return repository(container.spec["image"]) == BINARY


def command_line(container):
    """The agent's arguments in this container, or None where it does not run."""
    command, args = container.spec.get("command") or [], container.spec.get("args") or []
    if command:
        return command[1:] + args if PurePosixPath(command[0]).name == BINARY else None
    return args if is_agent_image(container) else None


def use_of(container):
    """`init`, `sidecar`, `exec` or `install`; None for a container without the agent."""
    line = command_line(container)
    return line[0] if line and line[0] in USES else None


@dataclass(frozen=True)
class Settings:
    """The settings that refer to something outside the agent."""

    mount: str | None
    vault: str | None
    references: dict
    env_file: str | None
    format: str
    signals: bool
    exit_code: int | None
    process: str | None
    identity: str
    credential_file: str | None

    @property
    def asks_vault(self):
        return bool(self.vault) or any(source_of(r, self)[0] == "vault" for r in self.references.values())


def config_file(container, docs):
    """The path of the configuration file and its text; the text is None if the pod has no such file.

    A path of None means that the container uses none.
    """
    path = _asked_for(container)
    mount, below = container.mount_of(path or DEFAULT_CONFIG)
    volume = container.pod.volumes.get(mount["name"], {}) if mount else {}
    config_map = find(docs, "ConfigMap", (volume.get("configMap") or {}).get("name"), container.pod.namespace)
    text = ((config_map or {}).get("data") or {}).get(below)
    if text is None and path is None and not config_map:
        return None, None
    return path or DEFAULT_CONFIG, text


def _asked_for(container):
    line = command_line(container)
    own = line[: line.index("--")] if "--" in line else line
    if "--config" in own[:-1]:
        return own[own.index("--config") + 1]
    return container.env.get("AKV_AGENT_CONFIG")


def mapping(text):
    """The text as a YAML mapping, or None where it is none."""
    try:
        parsed = yaml.safe_load(text or "")
    except yaml.YAMLError:
        return None
    return parsed if isinstance(parsed, dict) else None


def settings(container, docs):
    """What the agent is told: the environment over the file."""
    file = mapping(config_file(container, docs)[1]) or {}
    env = container.env
    rules = file.get("onChange") or []
    reactions = {key: rule[key] for rule in (rules if isinstance(rules, list) else [rules]) for key in rule}
    if "AKV_AGENT_ON_CHANGE" in env:
        kind, _, argument = env["AKV_AGENT_ON_CHANGE"].partition(":")
        reactions = {kind: argument}
    process = (file.get("target") or {}).get("process")
    if "AKV_AGENT_TARGET" in env:
        kind, _, name = env["AKV_AGENT_TARGET"].partition(":")
        process = name if kind == "process" else None
    outputs = [output for output in file.get("outputs") or [] if "envFile" in output]
    first = outputs[0] if outputs else {}
    identity, options = _identity(file.get("identity", "auto"))
    return Settings(
        mount=env.get("AKV_AGENT_MOUNT", file.get("mount")),
        vault=env.get("AKV_AGENT_VAULT", file.get("vault")),
        references={**(file.get("env") or {}), **_pairs(env.get("AKV_AGENT_ENV", ""))},
        env_file=env.get("AKV_AGENT_ENV_FILE", first.get("envFile")),
        format=env.get("AKV_AGENT_ENV_FILE_FORMAT", first.get("format", "shell")),
        signals="signal" in reactions,
        exit_code=int(reactions["exit"] or DEFAULT_EXIT) if "exit" in reactions else None,
        process=process,
        identity=env.get("AKV_AGENT_IDENTITY", identity),
        credential_file=options.get("clientSecretFile") or options.get("clientCertificateFile"),
    )


def _identity(told):
    """Its name and its options."""
    if isinstance(told, str):
        return told, {}
    [(name, options)] = told.items()
    return name, options or {}


def _pairs(text):
    items = (item.strip() for item in re.split(r"[\n,]", text))
    return dict(item.split("=", 1) for item in items if "=" in item)


def source_of(reference, told):
    """Where a reference is read: `("mount", FILE)`, `("vault", VAULT)`, or `("either", FILE)`."""
    if reference.startswith("mount:"):
        return "mount", reference.removeprefix("mount:").partition("#")[0]
    if reference.startswith("akv://"):
        return "vault", reference.removeprefix("akv://").partition("/")[0]
    if reference.lower().startswith("@microsoft.keyvault("):
        return "vault", reference
    name = reference.partition("#")[0]
    return ("either" if told.vault else "mount"), name
