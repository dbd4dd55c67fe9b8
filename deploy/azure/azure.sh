#!/usr/bin/env bash
# The Azure side of the seed scenario: from an empty subscription to a rotated secret.
#
# usage: azure.sh [--dry-run] COMMAND
#
#   up        resource group, cluster, vault, secret, identity, trust between them;
#             kubectl credentials; the ids into deploy/seed/base/azure.env
#   apply     the manifests of deploy/seed, and waits until they run
#   rotate    a new version of the secret, and waits until the apps have it
#   down      removes what `up` and `apply` made, and nothing else; with --purge also
#             frees the vault's name at once, from which there is no way back
#
# Each can be run again at any point, also after it was interrupted: it looks first and
# does what is missing. --dry-run looks too, and shows what would be changed.
#
# Needs az (logged in; tested with 2.91.0), kubectl, and bash 3.2 or later. Variables and
# their defaults:
#
#   RESOURCE_GROUP=akv-agent-seed  CLUSTER=akv-agent-seed  IDENTITY=akv-agent-seed
#   LOCATION=northeurope
#   KEY_VAULT        made of subscription and group: the name is unique in the world
#   SECRET_FILE      file with the secret's value, to the byte, a line feed at its end too:
#                    UTF-8 without carriage returns; else a text for all to read
#   AGENT_IMAGE      the image to run in place of the one that the manifests name
#   NODE_COUNT=1     of a new cluster
#   ROTATION_POLL_INTERVAL=2m  how often the CSI driver of a new cluster asks the vault
#   RETENTION_DAYS=7           how long a vault or a secret can be recovered
#   PURGE_PROTECTION=false     true: nobody can purge before; cannot be undone
#   OPERATOR_ID      object id of whoever is logged in, where az cannot find it out
#   WAIT_SECONDS=600 the limit of each wait
#
# A group, cluster or vault that is there already is used, and stays when the rest goes.
set -euo pipefail

: "${RESOURCE_GROUP:=akv-agent-seed}" "${CLUSTER:=akv-agent-seed}" "${IDENTITY:=akv-agent-seed}"
: "${LOCATION:=northeurope}" "${NODE_COUNT:=1}" "${ROTATION_POLL_INTERVAL:=2m}"
: "${RETENTION_DAYS:=7}" "${PURGE_PROTECTION:=false}" "${WAIT_SECONDS:=600}"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/steps/common.bash"
source "$here/steps/up.bash"
source "$here/steps/observe.bash"
source "$here/steps/down.bash"

usage() {
    sed -n '/^# usage/,/^set/{/^#/{s/^# \{0,1\}//;p;};}' "${BASH_SOURCE[0]}"
}

wrong_usage() {
    say "$*"
    usage >&2
    exit 64
}

command=
while [ $# -gt 0 ]; do
    case $1 in
    --dry-run) dry_run=1 ;;
    --purge) purge=1 ;;
    up | apply | rotate | down)
        [ -z "$command" ] || wrong_usage "one command, not two: $command, $1"
        command=$1
        ;;
    --help | -h)
        usage
        exit
        ;;
    *) wrong_usage "not known: $1" ;;
    esac
    shift
done
[ -n "$command" ] || wrong_usage "no command"
[ -z "${purge-}" ] || [ "$command" = down ] || wrong_usage "--purge belongs to down"

umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
find_subscription
"$command"
