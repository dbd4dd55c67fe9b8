#!/usr/bin/env bash
# Gives the role that is not in use a new password, and then makes it the one in use.
#
# usage: rotate.sh [ROLE]
#
# The role that was in use keeps its password until its own turn comes, with the next
# rotation: whoever has not heard of this one can still log in. With ROLE it is the turn
# of that role: for the first time, and where there is but one.
#
#   KV      name of the vault
#   SECRET  name of the secret (orders-login)
#   PSQL    psql for an administrator (the one in the pod of this example)
#
# Needs az, openssl, and setsid of util-linux, which macOS does not have.
#
# The password is on no command line, in no log and on no disk but this machine's: the
# database gets its SCRAM hash, which psql makes.
set -euo pipefail

: "${KV:?must be the name of the vault}"
secret=${SECRET:-orders-login}
read -ra psql <<<"${PSQL:-kubectl exec --stdin statefulset/postgresql -- psql}"

die() {
    echo "rotate.sh: $*" >&2
    exit 1
}

# Which one is in use nobody but the vault can tell.
standby() {
    local login
    login=$(az keyvault secret show --vault-name "$KV" --name "$secret" --query value --output tsv)
    case $login in
    *'"orders_a"'*) echo orders_b ;;
    *'"orders_b"'*) echo orders_a ;;
    *) die "$secret names neither orders_a nor orders_b" ;;
    esac
}

# A session of the role whose turn it is belongs to a client that has missed the last
# rotation, and would fail with its next login.
refuse_if_in_use() {
    local sessions
    sessions=$("${psql[@]}" --no-align --tuples-only \
        --command "SELECT count(*) FROM pg_stat_activity WHERE usename = '$1'" </dev/null)
    [ "$sessions" -eq 0 ] || die "$sessions sessions are still those of $1: wait for their clients, or restart them"
}

role=${1:-}
if [ -z "$role" ]; then
    role=$(standby)
    refuse_if_in_use "$role"
fi

umask 077
file=$(mktemp)
trap 'rm -f "$file"' EXIT
password=$(openssl rand -base64 33)
# Without a terminal of its own psql reads the new password, twice, from here.
printf '%s\n%s\n' "$password" "$password" | setsid --wait "${psql[@]}" --command "\\password $role"
printf '{"username":"%s","password":"%s"}' "$role" "$password" >"$file"
az keyvault secret set --vault-name "$KV" --name "$secret" --file "$file" --encoding utf-8 --output none
echo "$role is in use from now on"
