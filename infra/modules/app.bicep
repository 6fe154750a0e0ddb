metadata description = 'The function app on Flex Consumption.'

@description('Name of the function app.')
@minLength(2)
@maxLength(60)
param name string

@description('Suffix of the other names.')
param suffix string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the identity that the app acts with.')
param identityName string

@description('Name of the storage account.')
param storageName string

@description('Name of the container that the deployed package is kept in.')
param deploymentContainerName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Settings of the service itself, by name; TABLES_ENDPOINT and QUEUES_ENDPOINT are added here.')
param settings { *: string }

@description('Major version of Node.js.')
param nodeVersion ('22' | '24')

@description('Memory of an instance in megabytes.')
param instanceMemoryMB (512 | 2048 | 4096)

@description('Instances at most.')
param maximumInstanceCount int

@description('HTTP requests that one instance works on at a time.')
param httpConcurrency int

@description('Instances that are kept running for HTTP.')
param alwaysReadyInstances int

@description('Origins of browser clients; none allows none.')
param corsAllowedOrigins string[]

@description('Resource id of the subnet that the app sends through; empty without a private network.')
param subnetId string

// FUNCTIONS_WORKER_RUNTIME, FUNCTIONS_EXTENSION_VERSION and WEBSITE_* are not set: Flex Consumption takes the
// runtime from functionAppConfig and refuses or ignores them.
var platformSettings = {
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  // The trigger of follow-ups finds its queue by this.
  AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  // No secret: the component takes Entra tokens only.
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  // Which identity @azure/identity takes: a user-assigned one is never the default.
  AZURE_CLIENT_ID: identity.properties.clientId
  // Above the service's own limits, also for files, so that its 413 is what clients see.
  FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '104857600'
  // The host takes 32 KB of headers, Node 16 KB: a request in between would hang.
  languageWorkers__node__arguments: '--max-http-header-size=65536'
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${suffix}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  // azd finds the app to deploy to by this tag.
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      runtime: {
        name: 'node'
        version: nodeVersion
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deploymentContainerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstances == 0
          ? []
          : [
              {
                name: 'http'
                instanceCount: alwaysReadyInstances
              }
            ]
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
    // Only what Terraform's provider sets on such a site as well (hashicorp/terraform-provider-azurerm,
    // function_app_flex_consumption_resource.go): some regions refuse a site for a property that its plan does not have,
    // ftpsState among them, with the extended code 51021 (azure-cli#31414, azure-pipelines-tasks#21032).
    // No healthCheckPath: Flex Consumption has no platform health check, alerts.bicep watches from outside instead.
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      cors: {
        allowedOrigins: corsAllowedOrigins
        supportCredentials: false
      }
      appSettings: map(
        items(union(platformSettings, settings, {
          TABLES_ENDPOINT: storage.properties.primaryEndpoints.table
          QUEUES_ENDPOINT: storage.properties.primaryEndpoints.queue
        })),
        setting => { name: setting.key, value: setting.value }
      )
    }
  }
}

// No policy "ftp" beside it: the plan has no FTP, and two such writes at a time conflict.
resource basicAuthenticationScm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

@description('Address of the service, without a trailing slash.')
output baseUrl string = 'https://${app.properties.defaultHostName}'
