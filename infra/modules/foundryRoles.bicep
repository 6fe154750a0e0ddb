metadata description = 'Who may use the Foundry project and its models, each role on one resource.'

import { foundryUser } from '../roleIds.bicep'

@description('Name of the app\'s identity.')
param identityName string

@description('Name of the Foundry account.')
param accountName string

@description('Name of the Foundry project.')
param projectName string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: accountName

  resource project 'projects' existing = {
    name: projectName
  }
}

// The project and no more: the app calls the project's endpoint only.
resource appEngine 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::project.id, identity.id, foundryUser)
  scope: account::project
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', foundryUser)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

// Microsoft's minimum for a project: its own identity reaches the models of its account.
resource projectModels 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, account::project.id, foundryUser)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', foundryUser)
    principalId: account::project.identity.principalId
    principalType: 'ServicePrincipal'
  }
}
