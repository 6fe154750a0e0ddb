metadata description = 'What an owner may want on top: an audit log, locks against deletion, a budget.'

@description('Suffix of the names.')
param suffix string

@description('Name of the storage account.')
param storageName string

@description('Name of the Foundry account; empty without one of its own.')
param foundryName string

@description('Name of the workspace that keeps the audit log.')
param workspaceName string

@description('Whether to keep an audit log.')
param auditLogsEnabled bool

@description('Whether storage and Foundry are locked against being deleted.')
param deletionLockEnabled bool

@description('Monthly budget in the subscription\'s currency; 0: none.')
@minValue(0)
param monthlyBudget int

@description('Addresses that the budget\'s mails go to, besides the owners of the subscription.')
param emails string[]

@description('First day of the budget; Azure takes no earlier one than that of the current month.')
param budgetStart string = utcNow('yyyy-MM-01')

var hasFoundry = !empty(foundryName)

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName

  resource blobService 'blobServices' existing = {
    name: 'default'
  }

  resource tableService 'tableServices' existing = {
    name: 'default'
  }
}

resource foundry 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = if (hasFoundry) {
  name: foundryName
}

// Who put which package there. Nothing that people wrote is in these logs: they name addresses and identities only.
resource blobAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (auditLogsEnabled) {
  name: 'audit'
  scope: storage::blobService
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        category: 'StorageWrite'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

// Deletions only: every run writes rows, and the log's daily cap is there for the alerts as well.
resource tableAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (auditLogsEnabled) {
  name: 'audit'
  scope: storage::tableService
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

// Not RequestResponse: that is a line for every call of the engine.
resource foundryAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (auditLogsEnabled && hasFoundry) {
  name: 'audit'
  scope: foundry
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        category: 'Audit'
        enabled: true
      }
    ]
  }
}

// On what holds data, not on the group: a group that is locked keeps its deployments for ever, up to the limit of 800.
resource storageLock 'Microsoft.Authorization/locks@2020-05-01' = if (deletionLockEnabled) {
  name: 'keep'
  scope: storage
  properties: {
    level: 'CanNotDelete'
    notes: 'Threads and projects have no other copy.'
  }
}

resource foundryLock 'Microsoft.Authorization/locks@2020-05-01' = if (deletionLockEnabled && hasFoundry) {
  name: 'keep'
  scope: foundry
  properties: {
    level: 'CanNotDelete'
    notes: 'Conversations have no other copy.'
  }
}

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = if (monthlyBudget > 0) {
  name: 'budget-${suffix}'
  properties: {
    category: 'Cost'
    amount: monthlyBudget
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: budgetStart
    }
    notifications: {
      most: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: emails
        contactRoles: ['Owner']
      }
      all: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: emails
        contactRoles: ['Owner']
      }
    }
  }
}
