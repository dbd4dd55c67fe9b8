#!/bin/sh
# Stands in for an application that takes its secrets from the environment.
#
# With ENV_FILE set it reads that file at start and again on SIGHUP; without it
# the variables must already be in its environment. It shows how long a value is
# and a short fingerprint of it, never the value: a log is no place for a secret.
# (A real application shows neither: a fingerprint lets a reader test guesses.)

show() {
    for name in SECRET SECRET_MOUNTED; do
        eval "value=\${$name-}"
        [ -n "$value" ] || continue
        printf '%s %s: %s characters, fingerprint %s\n' "$(date -u +%H:%M:%S)" \
            "$name" "${#value}" "$(printf %s "$value" | sha256sum | cut -c1-12)"
    done
}

load() {
    # shellcheck source=/dev/null
    [ -z "${ENV_FILE-}" ] || . "$ENV_FILE"
    show
}

# Before anything else: a signal that nobody handles ends the process, and one
# may come as soon as the agent can see it.
trap load HUP
trap 'exit 0' TERM INT

load
if [ -z "${SECRET-}" ]; then
    echo "SECRET is not set" >&2
    exit 1
fi

# Waiting for a background job, because a shell handles a signal only after the
# command in the foreground has ended.
while :; do
    sleep 5 &
    wait $!
done
