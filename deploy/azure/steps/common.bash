# shellcheck shell=bash disable=SC2034 # variables are for the other files too
# What all commands share: names, how to look and how to change. To be sourced.

# The manifests of the seed have these names too, so they are no variables.
namespace=akv-agent-seed
service_account='seed-app'
secret=ExamplePassword
seed=$(cd "$here/../seed" && pwd)

# What bears this tag was made here. A role assignment bears none, but has a name that
# can be known again.
tag=madeBy
maker=akv-agent-seed
reads_secrets='Key Vault Secrets User'
writes_secrets='Key Vault Secrets Officer'

say() {
    printf 'azure.sh: %s\n' "$*" >&2
}

die() {
    say "$@"
    exit 1
}

# Runs what changes something, or only shows it.
change() {
    {
        printf '+'
        printf ' %q' "$@"
        echo
    } >&2
    [ -n "${dry_run-}" ] || "$@"
}

# Asks for what must be there by now. Where a dry run has left out what makes it, the
# answer is its description in angle brackets.
known() {
    local what=$1 answer
    shift
    if ! answer=$("$@" 2>"$scratch/errors") || [ -z "$answer" ]; then
        if [ -z "${dry_run-}" ]; then
            cat "$scratch/errors" >&2
            die "cannot find the $what"
        fi
        answer="<$what>"
    fi
    printf '%s\n' "$answer"
}

# Whether `known` could only describe one of these.
only_described() {
    case $* in
    *'<'*) return 0 ;;
    *) return 1 ;;
    esac
}

# SHA-256 of standard input in hexadecimal, by GNU's program or that of macOS.
digest() {
    if command -v sha256sum >/dev/null; then
        sha256sum
    else
        shasum -a 256
    fi | cut -c1-64
}

find_subscription() {
    local account
    account=$(az account show --query '[[id, user.type]]' --output tsv) || die "not logged in? az login"
    IFS=$'\t' read -r subscription operator_type <<<"$account"
    : "${KEY_VAULT:=kv-seed-$(printf %s "$subscription/$RESOURCE_GROUP" | digest | cut -c1-12)}"
    say "subscription $subscription, vault $KEY_VAULT"
}

# Who made the group: nothing if there is none, `-` if it does not say.
find_group() {
    group_maker=$(az group list --query "[?name=='$RESOURCE_GROUP'].[tags.$tag || '-']" --output tsv)
}

# The same for a resource in the group, of the kind aks, keyvault or identity.
made_by() {
    [ -z "$group_maker" ] ||
        az "$1" list --resource-group "$RESOURCE_GROUP" --query "[?name=='$2'].[tags.$tag || '-']" --output tsv
}

# The same for the secret, which can be looked for with `list` and `list-deleted`.
secret_made_by() {
    az keyvault secret "$1" --vault-name "$KEY_VAULT" --query "[?name=='$secret'].[tags.$tag || '-']" --output tsv
}

# Object id of whoever is logged in.
find_operator() {
    operator_id=${OPERATOR_ID-}
    [ -z "$operator_id" ] || return 0
    if [ "$operator_type" = user ]; then
        operator_id=$(az ad signed-in-user show --query id --output tsv)
    else
        operator_id=$(az ad sp show --id "$(az account show --query user.name --output tsv)" --query id --output tsv) ||
            die "set OPERATOR_ID to the object id of the service principal or identity that is logged in"
    fi
}

# A deleted vault keeps its name for a while. Sets who made it, as `find_group` does, and
# whether it is protected from purging (on, off).
find_deleted_vault() {
    local found id
    deleted_maker='' deleted_protection=''
    found=$(az keyvault list-deleted --resource-type vault --output tsv --query "[?name=='$KEY_VAULT'].[
        properties.vaultId, properties.tags.$tag || '-', properties.purgeProtectionEnabled && 'on' || 'off']")
    [ -n "$found" ] || return 0
    IFS=$'\t' read -r id deleted_maker deleted_protection <<<"$found"
    # Azure does not always return the case in which a name was given.
    grep -qi "/resourceGroups/$RESOURCE_GROUP/" <<<"$id" ||
        die "the name $KEY_VAULT is taken by a deleted vault of another group: $id"
}

# The name of a role assignment is a GUID. Made of what is assigned to whom, it is the
# same in each run, and not that of somebody else's assignment.
assignment_name() {
    local sum
    sum=$(printf %s "$maker/$1/$2/$vault_id" | digest)
    printf '%s-%s-%s-%s-%s\n' "${sum:0:8}" "${sum:8:4}" "${sum:12:4}" "${sum:16:4}" "${sum:20:12}"
}

# The names of all assignments that give a role on the vault to an object id.
assignments() {
    az role assignment list --role "$1" --assignee-object-id "$2" --scope "$vault_id" --include-inherited \
        --fill-principal-name false --query '[].[name]' --output tsv
}

in_cluster() {
    kubectl --context "$CLUSTER" "$@"
}
