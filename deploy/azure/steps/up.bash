# shellcheck shell=bash
# `up`: each step looks and makes what is missing. To be sourced.

up() {
    check_secret_file
    register_providers
    ensure_group
    ensure_cluster
    ensure_vault
    ensure_operator
    ensure_secret
    ensure_identity
    ensure_trust
    change az aks get-credentials --resource-group "$RESOURCE_GROUP" --name "$CLUSTER" --overwrite-existing
    fill_in
    say "done; next: azure.sh apply"
}

# A subscription in which nobody has used a service does not know it.
register_providers() {
    local provider
    for provider in Microsoft.ContainerService Microsoft.KeyVault Microsoft.ManagedIdentity; do
        [ "$(az provider show --namespace "$provider" --query registrationState --output tsv)" = Registered ] ||
            change az provider register --namespace "$provider" --wait
    done
}

ensure_group() {
    find_group
    [ -n "$group_maker" ] ||
        change az group create --name "$RESOURCE_GROUP" --location "$LOCATION" --tags "$tag=$maker" --output none
    # What is in a group that has just been made is still to be looked at.
    [ -n "${dry_run-}" ] || group_maker=${group_maker:-$maker}
}

ensure_cluster() {
    find_resource aks CLUSTER
    local named=(--resource-group "$RESOURCE_GROUP" --name "$CLUSTER")
    local addon=azure-keyvault-secrets-provider
    local rotation=(--enable-secret-rotation --rotation-poll-interval "$ROTATION_POLL_INTERVAL")
    local federation=(--enable-oidc-issuer --enable-workload-identity)
    if [ -z "$found" ]; then
        change az aks create "${named[@]}" --location "$LOCATION" --node-count "$NODE_COUNT" --no-ssh-key \
            --enable-addons "$addon" "${rotation[@]}" "${federation[@]}" --tags "$tag=$maker" --output none
        return
    fi
    # An earlier run, interrupted, may have left it in the making.
    az aks wait "${named[@]}" --created --timeout "$WAIT_SECONDS"
    local profile=addonProfiles.azureKeyvaultSecretsProvider facts enabled rotates issuer webhook
    # As words, because a boolean in a row of this output begins with a capital letter.
    facts=$(az aks show "${named[@]}" --output tsv --query "[[
        $profile.enabled && 'on' || 'off', $profile.config.enableSecretRotation == 'true' && 'on' || 'off',
        oidcIssuerProfile.enabled && 'on' || 'off', securityProfile.workloadIdentity.enabled && 'on' || 'off']]")
    IFS=$'\t' read -r enabled rotates issuer webhook <<<"$facts"
    if [ "$enabled" = off ]; then
        change az aks enable-addons "${named[@]}" --addons "$addon" "${rotation[@]}" --output none
    elif [ "$rotates" = off ]; then
        change az aks update "${named[@]}" "${rotation[@]}" --output none
    fi
    if [ "$issuer" = off ] || [ "$webhook" = off ]; then
        change az aks update "${named[@]}" "${federation[@]}" --output none
    fi
}

ensure_vault() {
    local protection=()
    find_resource keyvault KEY_VAULT
    if [ -n "$found" ]; then
        [ "$(of_vault properties.enableRbacAuthorization)" = true ] ||
            die "$KEY_VAULT goes by access policies and not by roles: see deploy/legacy, or choose another KEY_VAULT"
    else
        find_deleted_vault
        [ "$PURGE_PROTECTION" != true ] || protection=(--enable-purge-protection true)
        if [ -n "$deleted_maker" ]; then
            recover_vault
        else
            change az keyvault create --resource-group "$RESOURCE_GROUP" --name "$KEY_VAULT" --location "$LOCATION" \
                --enable-rbac-authorization true --retention-days "$RETENTION_DAYS" \
                ${protection[@]+"${protection[@]}"} --tags "$tag=$maker" --output none
        fi
    fi
    vault_id=$(known "id of the vault" of_vault id)
}

# Its name stays taken until its time is over; its secrets come back with it, but az does
# not ask for its tags. The group is that of its id, and az would compare the case too.
recover_vault() {
    local id
    change az keyvault recover --name "$KEY_VAULT" --output none
    [ "$deleted_maker" = "$maker" ] || return 0
    id=$(known "id of the vault" of_vault id)
    change az tag update --resource-id "$id" --operation Merge --tags "$tag=$maker" --output none
}

assign() {
    local role=$1 object=$2 type=$3
    only_described "$vault_id" "$object" || [ -z "$(assignments "$role" "$object")" ] || return 0
    change az role assignment create --role "$role" --scope "$vault_id" --name "$(assignment_name "$role" "$object")" \
        --assignee-object-id "$object" --assignee-principal-type "$type" --output none
}

# Under RBAC the right to make a vault is not the right to write to it.
ensure_operator() {
    local type=ServicePrincipal
    [ "$operator_type" != user ] || type=User
    find_operator
    assign "$writes_secrets" "$operator_id" "$type"
}

# Repeats what the vault refuses only because it has not heard of a new assignment yet.
# Any other refusal, as of its firewall, is final.
until_allowed() {
    local deadline=$((SECONDS + WAIT_SECONDS)) told=''
    until "$@" 2>"$scratch/errors"; do
        if ! grep -q ForbiddenByRbac "$scratch/errors" || [ "$SECONDS" -ge "$deadline" ]; then
            cat "$scratch/errors" >&2
            return 1
        fi
        [ -n "$told" ] || say "waiting until the vault knows of the role assignment"
        told=1
        sleep 10
    done
}

# A secret that is there keeps its value: a new one is for `rotate`.
ensure_secret() {
    local there='' deleted=''
    if [ -z "${dry_run-}" ]; then
        there=$(until_allowed secret_made_by list)
        deleted=$(secret_made_by list-deleted)
    elif ! only_described "$vault_id"; then
        # In a dry run the right to look may be one of the things that are missing.
        there=$(secret_made_by list 2>/dev/null) || true
        deleted=$(secret_made_by list-deleted 2>/dev/null) || true
    fi
    if [ -n "$deleted" ] && [ -z "$there" ]; then
        change az keyvault secret recover --vault-name "$KEY_VAULT" --name "$secret" --output none
    elif [ -z "$there" ]; then
        set_secret "$(value_file 'This message is secret! Do NOT share!')"
    fi
}

# az reads the file as text, in which it takes every line end for a line feed: the value in
# the vault, and its fingerprint, would be another than that of the file.
check_secret_file() {
    [ -n "${SECRET_FILE-}" ] || return 0
    # A pipe would be empty when it is read for the second time.
    [ -f "$SECRET_FILE" ] && [ -r "$SECRET_FILE" ] || die "SECRET_FILE: $SECRET_FILE is no file that can be read"
    ! LC_ALL=C grep -q $'\r' "$SECRET_FILE" ||
        die "SECRET_FILE: $SECRET_FILE has a carriage return, which az would not send as it is"
}

# The file that holds the value: a command line can be read by every process.
value_file() {
    if [ -n "${SECRET_FILE-}" ]; then
        printf '%s\n' "$SECRET_FILE"
    else
        printf %s "$1" >"$scratch/value"
        printf '%s\n' "$scratch/value"
    fi
}

set_secret() {
    change az keyvault secret set --vault-name "$KEY_VAULT" --name "$secret" --file "$1" --encoding utf-8 \
        --tags "$tag=$maker" --output none
}

ensure_identity() {
    find_resource identity IDENTITY
    local named=(--resource-group "$RESOURCE_GROUP" --name "$IDENTITY")
    case $found in
    "$maker") ;;
    '') change az identity create "${named[@]}" --location "$LOCATION" --tags "$tag=$maker" --output none ;;
    # The pods could do whatever else it may do.
    *) die "the identity $IDENTITY was not made here: choose another name" ;;
    esac
    client_id=$(known "client id of the identity" az identity show "${named[@]}" --query clientId --output tsv)
    principal_id=$(known "principal id of the identity" az identity show "${named[@]}" --query principalId --output tsv)
    assign "$reads_secrets" "$principal_id" ServicePrincipal
}

# Entra compares issuer and subject to the letter, and a cluster made anew has another
# issuer.
ensure_trust() {
    local of=(--resource-group "$RESOURCE_GROUP" --identity-name "$IDENTITY")
    local subject=system:serviceaccount:$namespace:$service_account issuer facts='' verb=create
    issuer=$(known "issuer of the cluster" az aks show --resource-group "$RESOURCE_GROUP" --name "$CLUSTER" \
        --query oidcIssuerProfile.issuerUrl --output tsv)
    only_described "$client_id" || facts=$(az identity federated-credential list "${of[@]}" \
        --query "[?name=='$maker'].[issuer, subject]" --output tsv)
    [ "$facts" != "$issuer"$'\t'"$subject" ] || return 0
    [ -z "$facts" ] || verb=update
    change az identity federated-credential "$verb" "${of[@]}" --name "$maker" \
        --issuer "$issuer" --subject "$subject" --audiences api://AzureADTokenExchange --output none
}

# The one place from which kustomize copies vault, tenant and client id.
fill_in() {
    local tenant_id file=$seed/base/azure.env
    tenant_id=$(known "tenant of the vault" of_vault properties.tenantId)
    sed -e "s|^KEY_VAULT=.*|KEY_VAULT=$KEY_VAULT|" -e "s|^TENANT_ID=.*|TENANT_ID=$tenant_id|" \
        -e "s|^CLIENT_ID=.*|CLIENT_ID=$client_id|" "$file" >"$scratch/azure.env"
    # Into the file that is there, whose mode is not this script's to choose.
    cmp -s "$scratch/azure.env" "$file" || change cp "$scratch/azure.env" "$file"
}
