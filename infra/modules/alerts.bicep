metadata description = 'What a team wants to be woken for on day one, and a look at the service from outside.'

@description('Suffix of the names.')
param suffix string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the workspace that is queried.')
param workspaceName string

@description('Name of the Application Insights component that keeps the availability results.')
param insightsName string

@description('Name of the function app.')
param appName string

@description('Addresses that get a mail; none leaves the alerts in the portal only.')
param emails string[]

@description('Milliseconds that 95 of 100 creates should stay below.')
param slowCreateMs int

var rules = [
  {
    name: 'server-errors'
    description: 'The service answered with 5xx: an error of ours, or storage, the engine or token keys out of reach.'
    severity: 1
    query: loadTextContent('../queries/server-errors.kql')
    column: 'Requests'
    aggregation: 'Total'
    threshold: 5
    window: 'PT15M'
  }
  {
    name: 'engine-throttling'
    description: 'The engine refuses runs: raise the capacity of the model deployment or spread the load.'
    severity: 2
    query: loadTextContent('../queries/engine-throttling.kql')
    column: 'Requests'
    aggregation: 'Total'
    threshold: 10
    window: 'PT15M'
  }
  {
    name: 'slow-creates'
    description: 'Creating a run takes long: cold starts (alwaysReadyInstances) or a slow engine.'
    severity: 3
    query: loadTextContent('../queries/slow-creates.kql')
    column: 'DurationMs'
    aggregation: 'Maximum'
    threshold: slowCreateMs
    window: 'PT30M'
  }
  {
    name: 'expired-runs'
    description: 'Runs pass their deadline: the engine is stuck, or RUN_TIMEOUT_SECONDS is too short for the assistants.'
    severity: 2
    query: loadTextContent('../queries/expired-runs.kql')
    column: 'Runs'
    aggregation: 'Total'
    threshold: 3
    window: 'PT30M'
  }
  {
    name: 'follow-ups-not-sent'
    description: 'Runs or deletions that nobody looks after unless a client asks: the queue "runs" is out of reach.'
    severity: 2
    query: loadTextContent('../queries/follow-ups-not-sent.kql')
    column: 'FollowUps'
    aggregation: 'Total'
    threshold: 3
    window: 'PT30M'
  }
  // Not a metric of the storage account: those count messages of all queues together, and once an hour.
  {
    name: 'follow-ups-given-up'
    description: 'A run or a deletion is no longer looked after: its message lies in the queue "runs-poison" for seven days.'
    severity: 1
    query: loadTextContent('../queries/follow-ups-given-up.kql')
    column: 'FollowUps'
    aggregation: 'Total'
    threshold: 0
    window: 'PT30M'
  }
  {
    name: 'log-cap'
    description: 'The daily cap on telemetry is reached: until it is lifted or the day is over, the other log alerts see nothing.'
    severity: 1
    query: loadTextContent('../queries/log-cap.kql')
    column: 'Events'
    aggregation: 'Total'
    threshold: 0
    window: 'PT30M'
  }
]

var probeLocations = ['emea-nl-ams-azr', 'us-va-ash-azr', 'apac-sg-sin-azr']

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'threadrun'
    emailReceivers: [
      for (email, index) in emails: {
        name: 'email-${index}'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource queryAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: '${rule.name}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.name
      description: rule.description
      severity: rule.severity
      enabled: true
      autoMitigate: true
      // The tables appear with the first telemetry, which is after this deployment.
      skipQueryValidation: true
      scopes: [
        workspace.id
      ]
      // Every evaluation is paid for.
      evaluationFrequency: rule.severity == 1 ? 'PT5M' : 'PT15M'
      windowSize: rule.window
      criteria: {
        allOf: [
          {
            query: rule.query
            metricMeasureColumn: rule.column
            timeAggregation: rule.aggregation
            operator: 'GreaterThan'
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [
          actionGroup.id
        ]
      }
    }
  }
]

// The health check: a request without a token is answered 401 by the service's own code, so a 401 proves host, worker
// and package, while it touches neither storage nor the engine and needs no secret.
resource probe 'Microsoft.Insights/webtests@2022-06-15' = {
  name: 'probe-${suffix}'
  location: location
  tags: union(tags, { 'hidden-link:${insights.id}': 'Resource' })
  kind: 'standard'
  properties: {
    Name: 'probe-${suffix}'
    SyntheticMonitorId: 'probe-${suffix}'
    Kind: 'standard'
    Enabled: true
    Frequency: 900
    Timeout: 30
    RetryEnabled: true
    Locations: [
      for probeLocation in probeLocations: {
        Id: probeLocation
      }
    ]
    Request: {
      RequestUrl: 'https://${app.properties.defaultHostName}/api/projects/probe/threads/probe'
      HttpVerb: 'GET'
      ParseDependentRequests: false
      FollowRedirects: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 401
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 7
    }
  }
}

resource unavailable 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'unavailable-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Two of three places do not get an answer from the service.'
    severity: 1
    enabled: true
    autoMitigate: true
    evaluationFrequency: 'PT5M'
    windowSize: 'PT30M'
    scopes: [
      probe.id
      insights.id
    ]
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: probe.id
      componentId: insights.id
      failedLocationCount: 2
    }
    actions: [
      {
        actionGroupId: actionGroup.id
      }
    ]
  }
}
