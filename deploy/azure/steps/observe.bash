# shellcheck shell=bash
# `apply` and `rotate`: the manifests, a new value, and whether it arrives. To be sourced.

apply() {
    find_cluster
    kubectl kustomize "$seed" | with_image >"$scratch/manifests.yaml"
    [ -z "${AGENT_IMAGE-}" ] || grep -qF "image: $AGENT_IMAGE" "$scratch/manifests.yaml" ||
        die "no container of $seed has an image that is called akv-agent, so there is none for AGENT_IMAGE to replace"
    change in_cluster apply --filename "$scratch/manifests.yaml"
    local use
    for use in init sidecar exec; do
        # The kubelet repeats a failed mount, and so waits until Entra knows the
        # federated credential and the vault the role assignment.
        change in_cluster --namespace "$namespace" rollout status "deployment/seed-$use" \
            --timeout "${WAIT_SECONDS}s" ||
            die "seed-$use does not run: see 'When it does not work' in deploy/README.md"
    done
    say "done; next: azure.sh rotate"
}

# The manifests may name a registry of one's own by now: see 'The image' in deploy/README.md.
with_image() {
    if [ -n "${AGENT_IMAGE-}" ]; then
        sed "s|image: \(.*/\)*akv-agent[:@].*|image: $AGENT_IMAGE|"
    else
        cat
    fi
}

rotate() {
    local file fingerprint
    check_secret_file
    find_cluster
    file=$(value_file "This message was rotated at $(date -u +%FT%TZ)!")
    set_secret "$file"
    [ -z "${dry_run-}" ] || return 0
    fingerprint=$(digest <"$file" | cut -c1-12)
    say "the sidecar asks the vault itself; exec waits for the next round of the CSI driver"
    await sidecar "$fingerprint"
    await exec "$fingerprint"
    say "seed-init has the old value until: kubectl --namespace $namespace rollout restart deployment/seed-init"
}

# Waits until an app shows the fingerprint of the new value.
await() {
    local deadline=$((SECONDS + WAIT_SECONDS))
    until in_cluster --namespace "$namespace" logs "deployment/seed-$1" --container app --tail 20 |
        grep " SECRET: .* fingerprint $2"; do
        [ "$SECONDS" -lt "$deadline" ] || die "seed-$1 has not got the new value within $WAIT_SECONDS seconds"
        sleep 5
    done
    say "seed-$1 has the new value"
}
