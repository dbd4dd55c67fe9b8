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
# A column for queries. Of other tags it has nothing: they may hold whatever ends a row.
marked="tags.$tag == '$maker' && '$maker' || '-'"
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

# ASCII letters only, so that it does not depend on the locale.
lower() {
    LC_ALL=C tr '[:upper:]' '[:lower:]'
}

find_subscription() {
    local account
    account=$(az account show --query '[[id, user.type]]' --output tsv) || die "not logged in? az login"
    IFS=$'\t' read -r subscription operator_type <<<"$account"
    : "${KEY_VAULT:=kv-seed-$(printf %s "$subscription/$RESOURCE_GROUP" | lower | digest | cut -c1-12)}"
    say "subscription $subscription, vault $KEY_VAULT"
}

# Looks in rows that begin with a name for the one in the variable, and sets `found` to
# the rest of its row, or to nothing. Case makes no difference to Azure, which keeps the
# one that a name was given in; but it does to others who are told the name, kubectl for
# one, so the variable gets Azure's.
look_up() {
    local variable=$1 name rest
    found=''
    shopt -s nocasematch
    while IFS=$'\t' read -r name rest; do
        if [[ $name == "${!variable}" ]]; then
            printf -v "$variable" %s "$name"
            found=$rest
        fi
    done <<<"$2"
    shopt -u nocasematch
}

# Who made the group: nothing if there is none, `-` if not this script.
find_group() {
    local rows
    rows=$(az group list --query "[].[name, $marked]" --output tsv)
    look_up RESOURCE_GROUP "$rows"
    group_maker=$found
}

# The same, in `found`, for a resource in the group: its kind (aks, keyvault or identity)
# and the variable with its name.
find_resource() {
    local rows=''
    [ -z "$group_maker" ] ||
        rows=$(az "$1" list --resource-group "$RESOURCE_GROUP" --query "[].[name, $marked]" --output tsv)
    look_up "$2" "$rows"
}

# For kubectl, which itself says so where there is none.
find_cluster() {
    find_group
    find_resource aks CLUSTER
}

of_vault() {
    az keyvault show --resource-group "$RESOURCE_GROUP" --name "$KEY_VAULT" --query "$1" --output tsv
}

# Prints who made the secret, which can be looked for with `list` and `list-deleted`.
secret_made_by() {
    local rows
    rows=$(az keyvault secret "$1" --vault-name "$KEY_VAULT" --query "[].[name, $marked]" --output tsv) || return
    look_up secret "$rows"
    printf '%s\n' "$found"
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
    local rows id
    deleted_maker='' deleted_protection=''
    rows=$(az keyvault list-deleted --resource-type vault --output tsv --query "[].[name,
        properties.vaultId, properties.$marked, properties.purgeProtectionEnabled && 'on' || 'off']")
    look_up KEY_VAULT "$rows"
    [ -n "$found" ] || return 0
    IFS=$'\t' read -r id deleted_maker deleted_protection <<<"$found"
    grep -qiF "/resourceGroups/$RESOURCE_GROUP/" <<<"$id" ||
        die "the name $KEY_VAULT is taken by a deleted vault of another group: $id"
}

# The name of a role assignment is a GUID. Made of what is assigned to whom, it is the
# same in each run, whatever the case of the vault's id, and not that of somebody else's
# assignment.
assignment_name() {
    local sum
    sum=$(printf %s "$maker/$1/$2/$vault_id" | lower | digest)
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
