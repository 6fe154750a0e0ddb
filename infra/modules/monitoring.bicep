metadata description = 'Log Analytics, Application Insights and the saved queries that alerts use as well.'

@description('Name of the workspace.')
param workspaceName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Days that telemetry is kept. The first 31 are included in the price of ingestion.')
@minValue(30)
@maxValue(730)
param retentionInDays int

@description('Gigabytes a day after which ingestion stops until the next day: a runaway log costs no more than this.')
@minValue(1)
param dailyCapGb int

@description('Percentage of telemetry kept at ingestion. Alerts count by item weight, so they stay right below 100.')
@minValue(1)
@maxValue(100)
param samplingPercentage int

var queries = [
  {
    name: 'server-errors'
    displayName: 'Server errors'
    query: loadTextContent('../queries/server-errors.kql')
  }
  {
    name: 'engine-throttling'
    displayName: 'Runs refused because the engine throttled'
    query: loadTextContent('../queries/engine-throttling.kql')
  }
  {
    name: 'slow-creates'
    displayName: 'Time to create a run'
    query: loadTextContent('../queries/slow-creates.kql')
  }
  {
    name: 'expired-runs'
    displayName: 'Expired runs'
    query: loadTextContent('../queries/expired-runs.kql')
  }
  {
    name: 'follow-ups-not-sent'
    displayName: 'Follow-ups that the queue did not take'
    query: loadTextContent('../queries/follow-ups-not-sent.kql')
  }
  {
    name: 'follow-ups-given-up'
    displayName: 'Follow-ups moved to the poison queue'
    query: loadTextContent('../queries/follow-ups-given-up.kql')
  }
  {
    name: 'log-cap'
    displayName: 'Daily cap on telemetry reached'
    query: loadTextContent('../queries/log-cap.kql')
  }
  {
    name: 'requests-by-route'
    displayName: 'Requests by route and status'
    query: loadTextContent('../queries/requests-by-route.kql')
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionInDays
    workspaceCapping: {
      dailyQuotaGb: dailyCapGb
    }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource savedQueries 'Microsoft.OperationalInsights/workspaces/savedSearches@2025-02-01' = [
  for query in queries: {
    parent: workspace
    name: query.name
    properties: {
      category: 'Thread run service'
      displayName: query.displayName
      query: query.query
      version: 2
    }
  }
]

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    SamplingPercentage: samplingPercentage
    DisableLocalAuth: true
  }
}
