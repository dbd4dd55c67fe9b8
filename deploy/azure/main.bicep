// What `azure.sh up` makes, for one resource group. `azure.sh apply` and `rotate` work
// with it, and `down` removes it: names and tags are the same.

@description('Where everything is made.')
param location string = resourceGroup().location

@description('Name of the cluster.')
param clusterName string = 'akv-agent-seed'

@description('Number of its nodes.')
@minValue(1)
param nodeCount int = 1

@description('Size of its nodes. Not every region and subscription has each.')
param nodeSize string = 'Standard_D2s_v5'

@description('How often the CSI driver asks the vault.')
param rotationPollInterval string = '2m'

@description('Name of the vault, unique in the world.')
@minLength(3)
@maxLength(24)
param vaultName string = 'kv-seed-${take(uniqueString(resourceGroup().id), 12)}'

@description('How long a deleted vault or secret can be recovered.')
@minValue(7)
@maxValue(90)
param retentionDays int = 7

@description('Nobody can purge the vault before its time. Cannot be undone.')
param purgeProtection bool = false

@description('The vault was deleted and keeps its name: brings it back, with its secrets.')
param recoverVault bool = false

@description('Value of the secret ExamplePassword. Each deployment that has one makes a new version of the secret, so leave it empty afterwards.')
@secure()
param secretValue string = ''

@description('Object id of whoever is to set the secret later, or empty. A deployment needs no right to write to the vault, a person does.')
param operatorId string = ''

@description('What the operator is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorType string = 'User'

@description('Name of the managed identity that reads the secrets.')
param identityName string = 'akv-agent-seed'

// The manifests of deploy/seed have these names.
var namespace = 'akv-agent-seed'
var serviceAccount = 'seed-app'
var secretName = 'ExamplePassword'

var tags = {
  madeBy: 'akv-agent-seed'
}

// Roles have the same id in every tenant.
var secretsUser = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')
var secretsOfficer = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7')

resource cluster 'Microsoft.ContainerService/managedClusters@2026-06-01' = {
  name: clusterName
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    dnsPrefix: clusterName
    enableRBAC: true
    networkProfile: {
      networkPlugin: 'azure'
      networkPluginMode: 'overlay'
    }
    agentPoolProfiles: [
      {
        name: 'system'
        mode: 'System'
        count: nodeCount
        vmSize: nodeSize
      }
    ]
    addonProfiles: {
      azureKeyvaultSecretsProvider: {
        enabled: true
        // Strings, both of them.
        config: {
          enableSecretRotation: 'true'
          rotationPollInterval: rotationPollInterval
        }
      }
    }
    oidcIssuerProfile: {
      enabled: true
    }
    securityProfile: {
      workloadIdentity: {
        enabled: true
      }
    }
  }
}

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: vaultName
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    createMode: recoverVault ? 'recover' : 'default'
    enableRbacAuthorization: true
    softDeleteRetentionInDays: retentionDays
    // Azure refuses false here: a vault has the protection, or does not mention it.
    enablePurgeProtection: purgeProtection ? true : null
  }
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2026-02-01' = if (!empty(secretValue)) {
  parent: vault
  name: secretName
  tags: tags
  properties: {
    value: secretValue
  }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: identityName
  location: location
  tags: tags
}

// Entra compares issuer and subject to the letter.
resource trust 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = {
  parent: identity
  name: 'akv-agent-seed'
  properties: {
    issuer: cluster.properties.oidcIssuerProfile.issuerURL
    subject: 'system:serviceaccount:${namespace}:${serviceAccount}'
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}

// With its type given, Azure does not look for a principal that it may not know yet.
resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identity.id, secretsUser)
  properties: {
    roleDefinitionId: secretsUser
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource writer 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId)) {
  scope: vault
  name: guid(vault.id, operatorId, secretsOfficer)
  properties: {
    roleDefinitionId: secretsOfficer
    principalId: operatorId
    principalType: operatorType
  }
}

// What deploy/seed/base/azure.env wants to know.
output keyVault string = vault.name
output tenantId string = vault.properties.tenantId
output clientId string = identity.properties.clientId
