metadata description = 'Microsoft Foundry: the account, the project that the service talks to, and the models.'

import { modelDeployment } from '../types.bicep'

@description('Name of the account, also its subdomain; has to be unique in the world.')
@minLength(2)
@maxLength(64)
param name string

@description('Region. It has to offer the chosen models.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the project inside the account.')
param projectName string

@description('Model deployments.')
@minLength(1)
param modelDeployments modelDeployment[]

@description('Whether only private endpoints reach the account.')
param privateNetwork bool

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'AIServices'
  sku: {
    name: 'S0'
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    // Entra tokens need a subdomain of the account's own, and so do private endpoints.
    customSubDomainName: name
    allowProjectManagement: true
    disableLocalAuth: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }
}

resource project 'Microsoft.CognitiveServices/accounts/projects@2025-06-01' = {
  parent: account
  name: projectName
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: projectName
    description: 'Conversations and responses of the thread run service.'
  }
}

// One at a time: the account refuses concurrent changes of its deployments.
@batchSize(1)
resource deployments 'Microsoft.CognitiveServices/accounts/deployments@2025-06-01' = [
  for deployment in modelDeployments: {
    parent: account
    name: deployment.name
    sku: {
      name: deployment.sku
      capacity: deployment.capacity
    }
    properties: {
      model: {
        format: 'OpenAI'
        name: deployment.model
        version: deployment.version
      }
      // A pinned version still has to move when it retires: then, and not before.
      versionUpgradeOption: 'OnceCurrentVersionExpired'
    }
    dependsOn: [
      project
    ]
  }
]
