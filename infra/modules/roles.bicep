metadata description = 'Who may do what with storage and telemetry, each role on one resource.'

import {
  monitoringMetricsPublisher
  storageBlobDataOwner
  storageQueueDataContributor
  storageTableDataContributor
} from '../roleIds.bicep'
import { assignee } from '../types.bicep'

@description('Name of the app\'s identity.')
param identityName string

@description('Name of the storage account.')
param storageName string

@description('Name of the Application Insights component.')
param insightsName string

@description('People, groups and pipelines that run "npm run projects".')
param projectOperators assignee[]

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName

  resource tableService 'tableServices' existing = {
    name: 'default'

    resource projects 'tables' existing = {
      name: 'projects'
    }
  }

  resource queueService 'queueServices' existing = {
    name: 'default'

    resource runs 'queues' existing = {
      name: 'runs'
    }

    resource poison 'queues' existing = {
      name: 'runs-poison'
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource appBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, identity.id, storageBlobDataOwner)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataOwner)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource appTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, identity.id, storageTableDataContributor)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageTableDataContributor)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource appFollowUps 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage::queueService::runs.id, identity.id, storageQueueDataContributor)
  scope: storage::queueService::runs
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataContributor)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource appPoison 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage::queueService::poison.id, identity.id, storageQueueDataContributor)
  scope: storage::queueService::poison
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataContributor)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource appTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, identity.id, monitoringMetricsPublisher)
  scope: insights
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

// One table only: who administers projects has no business in people's threads.
resource operatorTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for operator in projectOperators: {
    name: guid(storage::tableService::projects.id, operator.id, storageTableDataContributor)
    scope: storage::tableService::projects
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageTableDataContributor)
      principalId: operator.id
      principalType: operator.type
    }
  }
]
