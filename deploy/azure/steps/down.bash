# shellcheck shell=bash
# `down`: removes what bears the tag. To be sourced.

down() {
    find_group
    if [ -n "$group_maker" ]; then
        # The vault last but one: until then its role assignments can be looked at.
        remove_cluster
        remove_identity
        remove_vault
        remove_group
    else
        say "there is no group $RESOURCE_GROUP"
    fi
    [ -z "${purge-}" ] || purge_vault
    say "done"
}

# Whether this was made here; says so of what was not.
ours() {
    [ "$2" != "$maker" ] || return 0
    [ -z "$2" ] || say "the $1 was not made here, and stays"
    return 1
}

has_line() {
    case $'\n'$1$'\n' in
    *$'\n'"$2"$'\n'*) return 0 ;;
    *) return 1 ;;
    esac
}

remove_cluster() {
    find_resource aks CLUSTER
    if ours "cluster $CLUSTER" "$found"; then
        change az aks delete --resource-group "$RESOURCE_GROUP" --name "$CLUSTER" --yes
        forget_credentials
    elif [ -n "$found" ]; then
        change in_cluster delete namespace "$namespace" --ignore-not-found
    fi
}

# As far as they are there: `up` may have been run on another machine.
forget_credentials() {
    forget context "$CLUSTER" --output name
    forget cluster "$CLUSTER"
    forget user "clusterUser_${RESOURCE_GROUP}_$CLUSTER"
}

forget() {
    local kind=$1 name=$2 there
    shift 2
    there=$(kubectl config "get-${kind}s" "$@")
    ! has_line "$there" "$name" || change kubectl config "delete-$kind" "$name"
}

remove_identity() {
    local named principal_id ids='' id
    find_resource identity IDENTITY
    ours "identity $IDENTITY" "$found" || return 0
    named=(--resource-group "$RESOURCE_GROUP" --name "$IDENTITY")
    # Its assignments would outlive it, and nobody could tell any more whose they were.
    find_resource keyvault KEY_VAULT
    if [ -n "$found" ]; then
        principal_id=$(az identity show "${named[@]}" --query principalId --output tsv)
        vault_id=$(of_vault id)
        ids=$(az role assignment list --assignee-object-id "$principal_id" --scope "$vault_id" \
            --fill-principal-name false --query '[].[id]' --output tsv)
    fi
    for id in $ids; do
        change az role assignment delete --ids "$id"
    done
    change az identity delete "${named[@]}"
}

# The operator may have had the same right before, by an assignment of another name.
unassign() {
    local name there
    name=$(assignment_name "$1" "$2")
    there=$(assignments "$1" "$2")
    ! has_line "$there" "$name" ||
        change az role assignment delete --ids "$vault_id/providers/Microsoft.Authorization/roleAssignments/$name"
}

remove_vault() {
    local by
    find_resource keyvault KEY_VAULT
    by=$found
    [ -n "$by" ] || return 0
    vault_id=$(of_vault id)
    find_operator
    ours "vault $KEY_VAULT" "$by" || remove_secret
    unassign "$writes_secrets" "$operator_id"
    [ "$by" != "$maker" ] || change az keyvault delete --resource-group "$RESOURCE_GROUP" --name "$KEY_VAULT"
}

remove_secret() {
    local by
    if ! by=$(secret_made_by list 2>"$scratch/errors"); then
        grep -q ForbiddenByRbac "$scratch/errors" || { cat "$scratch/errors" >&2 && return 1; }
        say "no right, or no right any more, to look for the secret in $KEY_VAULT"
    elif ours "secret $secret" "$by"; then
        change az keyvault secret delete --vault-name "$KEY_VAULT" --name "$secret" --output none
    fi
}

remove_group() {
    local others
    ours "group $RESOURCE_GROUP" "$group_maker" || return 0
    others=$(az resource list --resource-group "$RESOURCE_GROUP" --query "[?tags.$tag!='$maker'].[id]" --output tsv)
    if [ -n "$others" ]; then
        say "the group $RESOURCE_GROUP stays, because this in it was not made here:"$'\n'"$others"
    else
        change az group delete --name "$RESOURCE_GROUP" --yes
    fi
}

purge_vault() {
    find_deleted_vault
    if ours "deleted vault $KEY_VAULT" "$deleted_maker"; then
        [ "$deleted_protection" = off ] || die "$KEY_VAULT is protected: it goes when its retention time is over"
        change az keyvault purge --name "$KEY_VAULT"
    elif [ -n "${dry_run-}" ]; then
        say "a vault that this had deleted would be purged, unless it is protected"
    fi
}
