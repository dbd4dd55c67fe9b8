"""What the agent is told must exist in the pod that tells it."""

from pathlib import PurePosixPath

from .agent_container import (
    BINARY,
    IN_IMAGE,
    config_file,
    is_agent_image,
    mapping,
    repository,
    settings,
    source_of,
    use_of,
)
from .pod import find, pods
from .rule import Finding, Rule
from .secret_provider_class import file_names
from .synced_secret import keys_of


def lint(docs):
    for pod in pods(docs):
        for container in pod.containers:
            yield from _binary(container)
        agents = [c for c in pod.containers if use_of(c) in ("init", "sidecar", "exec")]
        for container in agents:
            path, text = config_file(container, docs)
            if path and mapping(text) is None:
                yield Finding(Rule.AGENT_CONFIG, container.where, path)
                continue
            told = settings(container, docs)
            yield from _sources(container, told, docs)
            yield from _output(container, told)
            yield from _signal(container, told)
            yield from _exit(container, told)
        yield from _file_keys(pod, [(agent, settings(agent, docs)) for agent in agents])


def _binary(container):
    """In the agent's image the binary is found by name, elsewhere where an init container put it."""
    installed = {
        mount["name"]: mount["mountPath"]
        for other in container.pod.containers
        if other.init and use_of(other) == "install"
        for mount, _ in [other.mount_of((other.spec.get("args") or other.spec["command"])[-1])]
        if mount
    }
    commands = [container.spec.get("command")] + [
        ((container.spec.get(probe) or {}).get("exec") or {}).get("command")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    ]
    for program in (PurePosixPath(command[0]) for command in commands if command):
        if program.name != BINARY:
            continue
        if is_agent_image(container):
            found = str(program) == BINARY
        else:
            mount, below = container.mount_of(program)
            found = bool(mount) and (mount["name"] in installed and below == BINARY or _is_image(container, mount, below))
        if not found:
            yield Finding(Rule.AGENT_BINARY, container.where, str(program))


def _is_image(container, mount, below):
    """Whether the program is where the agent's image has it, and the volume is that image."""
    reference = (container.pod.volumes.get(mount["name"], {}).get("image") or {}).get("reference", "")
    return repository(reference) == BINARY and f"/{below}" == IN_IMAGE


def _sources(container, told, docs):
    files = set()
    if told.mount:
        mount, below = container.mount_of(told.mount)
        files = _files(container.pod, mount["name"], docs) if mount and below == "." else None
        if files is None:
            yield Finding(Rule.AGENT_MOUNT, container.where, told.mount)
            return
    for variable, reference in told.references.items():
        kind, name = source_of(reference, told)
        if kind == "mount" and name not in files:
            yield Finding(Rule.AGENT_REFERENCE, container.where, f"{variable}: {name}")


def _files(pod, volume, docs):
    """The files of a volume that has secrets, or None for any other."""
    if pod.is_secrets_volume(volume):
        found = find(docs, "SecretProviderClass", pod.secret_provider_class(volume), pod.namespace)
        return file_names(found) if found else set()
    secret = pod.volumes.get(volume, {}).get("secret")
    return keys_of(docs, secret["secretName"], pod.namespace) if secret else None


def _output(container, told):
    if not told.env_file:
        return
    mount, _ = container.mount_of(told.env_file)
    volume = container.pod.volumes.get(mount["name"], {}) if mount else {}
    apps = [other for other in container.pod.containers if use_of(other) is None]
    readers = [app for app in apps if mount and mount["name"] in _volumes_read(app)]
    if not mount or mount.get("readOnly") or "emptyDir" not in volume or not readers:
        yield Finding(Rule.AGENT_OUTPUT, container.where, told.env_file)
    for app in apps:
        path = app.env.get("ENV_FILE")
        if path and app.mount_of(path) != (_same_mount(app, mount), container.mount_of(told.env_file)[1]):
            yield Finding(Rule.AGENT_ENV_FILE_FOUND, app.where, path)


def _volumes_read(app):
    """Those it mounts, and those from which the kubelet takes its variables."""
    return {mount["name"] for mount in app.mounts} | {ref["volumeName"] for ref in _refs(app)}


def _refs(app):
    found = ((item.get("valueFrom") or {}).get("fileKeyRef") for item in app.spec.get("env") or [])
    return [ref for ref in found if ref]


def _file_keys(pod, agents):
    written = set()
    for agent, told in agents:
        mount, below = agent.mount_of(told.env_file) if told.env_file else (None, None)
        if mount and told.format == "kubelet":
            written |= {(mount["name"], below, variable) for variable in told.references}
    for app in pod.containers:
        for ref in _refs(app):
            is_empty_dir = "emptyDir" in pod.volumes.get(ref["volumeName"], {})
            if not is_empty_dir or (ref["volumeName"], ref["path"], ref["key"]) not in written:
                yield Finding(Rule.AGENT_FILE_KEY, app.where, ref["key"])


def _exit(container, told):
    """A sidecar that ends takes nobody along unless a rule says so; a wrapper has the pod's own policy as well."""
    if told.exit_code is None:
        return
    rules = container.spec.get("restartPolicyRules") or []
    actions = {
        rule["action"]
        for rule in rules
        if rule["exitCodes"]["operator"] == "In" and told.exit_code in rule["exitCodes"]["values"]
    }
    # The API server wants a policy of the container's own beside its rules.
    complete = not rules or "restartPolicy" in container.spec
    if use_of(container) == "exec":
        restarted = bool(actions) or container.pod.spec.get("restartPolicy", "Always") != "Never"
    else:
        restarted = "RestartAllContainers" in actions
    if not (complete and restarted):
        yield Finding(Rule.AGENT_EXIT_RULE, container.where, str(told.exit_code))


def _same_mount(app, mount):
    """Where the app mounts the volume of the agent's `mount`."""
    return next((m for m in app.mounts if mount and m["name"] == mount["name"]), {})


def _signal(container, told):
    if use_of(container) != "sidecar" or not told.signals:
        return
    pod = container.pod
    if not pod.spec.get("shareProcessNamespace"):
        yield Finding(Rule.SIGNAL_NAMESPACE, pod.where)
    targets = [
        other
        for other in pod.containers
        if PurePosixPath((other.spec.get("command") or [""])[0]).name == told.process and use_of(other) is None
    ]
    if not targets:
        yield Finding(Rule.SIGNAL_TARGET, container.where, str(told.process))
    for target in targets:
        if target.security("runAsUser") != container.security("runAsUser"):
            yield Finding(Rule.SIGNAL_USER, target.where)
