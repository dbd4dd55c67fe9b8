// az deployment group create --parameters main.bicepparam
using 'main.bicep'

// From the environment, so that neither a file nor a command line holds the value.
param secretValue = readEnvironmentVariable('SECRET_VALUE', '')
param operatorId = readEnvironmentVariable('OPERATOR_ID', '')
