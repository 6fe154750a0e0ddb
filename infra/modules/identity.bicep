metadata description = 'The one identity that the app acts with: towards storage, the engine and telemetry.'

@description('Name of the user-assigned identity.')
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags { *: string }

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Object id, for role assignments.')
output principalId string = identity.properties.principalId
