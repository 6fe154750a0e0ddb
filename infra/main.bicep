metadata name = 'Thread run service'
metadata description = 'Everything the service needs in one subscription: app, state, engine, identity, telemetry, alerts.'

targetScope = 'subscription'

import { assistantFiles, assistants } from 'assistants.bicep'
import { modelDeployment, principal } from 'types.bicep'

@description('Name of the environment, such as "prod": letters, digits and hyphens, as it is part of every name.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('Region of every resource. It has to offer Flex Consumption and the chosen models; docs/deployment.md lists some.')
@minLength(1)
param location string

@description('Tags of every resource, besides the environment\'s name.')
param tags { *: string } = {}

@description('Issuer that access tokens have to come from, exactly as in their "iss" claim.')
@minLength(8)
param jwtIssuer string

@description('Audience that access tokens have to be for: their "aud" claim.')
@minLength(1)
param jwtAudience string

@description('Address of the issuer\'s keys. Empty: found through the issuer\'s discovery document.')
param jwtJwksUri string = ''

@description('Seconds after which an unfinished run counts as expired.')
@minValue(1)
@maxValue(86400)
param runTimeoutSeconds int = 600

@description('Rounds of a run that may end with tool calls; then the run fails.')
@minValue(1)
@maxValue(100)
param maxToolRounds int = 16

@description('Seconds that one response with live events may last; clients reconnect.')
@minValue(1)
@maxValue(220)
param eventStreamSeconds int = 220

@description('Largest file that callers may upload, in MiB.')
@minValue(1)
@maxValue(95)
param maxFileMb int = 20

@description('Whether the app serves the console at /api/console. It needs a token like every other client.')
param console bool = false

@description('Base URL of an OpenAI-compatible endpoint that exists already. Empty: a Foundry account is created.')
param existingOpenAiBaseUrl string = ''

@description('Secret in Key Vault (its URI) with the key of an existing endpoint that takes no Entra tokens. Empty: no key.')
param openAiApiKeySecretUri string = ''

@description('Secrets in Key Vault (their URIs) with tokens for MCP servers, by the setting that an assistant names as its authorizationSetting.')
param mcpTokenSecretUris { *: string } = {}

@description('Scope of the Entra token for the engine.')
@minLength(1)
param openAiTokenScope string = 'https://ai.azure.com/.default'

@description('Models of the created Foundry account; the first one\'s name is what the example assistant uses.')
@minLength(1)
param modelDeployments modelDeployment[]

@description('Major version of Node.js. Regions differ: "az functionapp list-flexconsumption-runtimes" lists what one offers.')
param nodeVersion ('22' | '24') = '24'

@description('Memory of an instance in megabytes; 2048 comes with one core, 512 with a quarter, 4096 with two.')
param instanceMemoryMB (512 | 2048 | 4096) = 2048

// From 1: later versions of Microsoft's page "Flex Consumption plan" are quoted with "The lowest maximum scale is currently
// 1"; copies up to 2025 say 40, so that is the default. It counts the instances of each group of functions: those of HTTP
// and those of the follow-ups' queue scale apart, so at most twice as many are paid for.
@description('Instances at most of each scale group (HTTP, queue); bounds what a flood of requests can cost.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

// A request waits for storage and the engine nearly all of its time, so one core serves many: at about 10 ms of
// processor and 1 s of waiting each, 100 at a time fill it. The platform's default for 2048 MB is 16.
@description('HTTP requests that one instance works on at a time; a further one starts another instance.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 100

@description('Instances that are kept running, which are paid for all the time; 0 scales to nothing.')
@minValue(0)
@maxValue(20)
param alwaysReadyInstances int = 0

@description('Origins of browser clients, such as "https://app.example.com"; none allows none.')
param corsAllowedOrigins string[] = []

@description('People, groups and pipelines that run "npm run projects" against this environment.')
param projectOperators principal[] = []

@description('Replication of the data: LRS is the cheapest, ZRS survives the loss of a zone.')
param storageSku ('Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS') = 'Standard_LRS'

@description('Days that telemetry is kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Gigabytes of telemetry a day at most.')
@minValue(1)
@maxValue(100)
param logDailyCapGb int = 1

@description('Percentage of telemetry that is kept.')
@minValue(1)
@maxValue(100)
param samplingPercentage int = 100

@description('Whether to create the alerts and the probe from outside.')
param alertsEnabled bool = true

@description('Addresses that get the alerts by mail.')
param alertEmails string[] = []

@description('Whether to keep an audit log of who changed or deleted stored data, the package and Foundry\'s keys.')
param auditLogsEnabled bool = false

@description('Whether storage and Foundry are locked against being deleted. Lifting a lock takes an owner.')
param deletionLockEnabled bool = false

@description('Monthly budget of the resource group in the subscription\'s currency; mails at 80 and 100 per cent. 0: none.')
@minValue(0)
param monthlyBudget int = 0

@description('Milliseconds that 95 of 100 creates should stay below.')
@minValue(500)
@maxValue(230000)
param slowCreateMs int = 5000

@description('Whether storage and Foundry are reached through a virtual network only.')
param privateNetwork bool = false

@description('Address range of the virtual network, at least a /25.')
param networkAddressPrefix string = '10.42.0.0/24'

@description('Public IPv4 addresses or ranges that reach storage in a private network nevertheless: operators, a pipeline.')
param allowedIpAddresses string[] = []

// No limit of an app setting's size is documented. Linux passes no environment variable above 128 KiB (execve(2)), and
// no character takes more than three bytes of UTF-8 for each unit counted here, so this stays below it in any language.
var maxAssistantsLength = 32000
var presentFiles = map(loadDirectoryFileInfo('assistants', '*.json'), file => file.baseName)
var unlistedFiles = filter(presentFiles, file => !contains(assistantFiles, file))
var assistantsJson = string(assistants)
var assistantsSetting = !empty(unlistedFiles)
  ? fail('assistants.bicep does not list ${join(unlistedFiles, ', ')}: run "node infra/assistants.ts"')
  : length(assistantsJson) > maxAssistantsLength
      ? fail('The assistants take ${length(assistantsJson)} of at most ${maxAssistantsLength} characters: shorten instructions')
      : assistantsJson

// azd lets an environment be called "my_app (dev).1" (pkg/environment/environment.go, EnvironmentNameRegexp); a site's or
// a Foundry account's name takes letters, digits and hyphens only.
var allowedCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789-'
var foreignCharacters = filter(
  map(range(0, length(environmentName)), index => substring(toLower(environmentName), index, 1)),
  character => !contains(allowedCharacters, character)
)
var checkedName = empty(foreignCharacters)
  ? toLower(environmentName)
  : fail('The environment is called ${environmentName}: letters, digits and hyphens only, as it is part of every name')

var usesExistingEndpoint = !empty(existingOpenAiBaseUrl)
var token = take(uniqueString(subscription().id, environmentName, location), 8)
var suffix = '${checkedName}-${token}'
// Without the token: the pipeline's rights are granted on this group, so its name has to be known before it exists.
var groupName = 'rg-${checkedName}'
var appName = 'func-${suffix}'
var workspaceName = 'log-${suffix}'
var insightsName = 'appi-${suffix}'
var identityName = 'id-${suffix}'
var deploymentContainerName = 'deployments'
var storageName = 'st${uniqueString(subscription().id, environmentName, location)}'
var foundryName = 'aif-${suffix}'
var foundryProjectName = 'threads'
var networkName = 'vnet-${suffix}'
var allTags = union(tags, { 'azd-env-name': environmentName })

var blobZone = 'privatelink.blob.${environment().suffixes.storage}'
var queueZone = 'privatelink.queue.${environment().suffixes.storage}'
var tableZone = 'privatelink.table.${environment().suffixes.storage}'
// A Foundry account answers under three names.
var foundryZones = [
  'privatelink.cognitiveservices.azure.com'
  'privatelink.openai.azure.com'
  'privatelink.services.ai.azure.com'
]

// azd tells a parameter file the id of whoever is signed in, but not its kind (pkg/infra/provisioning/bicep/
// bicep_provider.go, compileBicep); only people have a userPrincipalName.
var deployerType = empty(deployer().userPrincipalName) ? 'ServicePrincipal' : 'User'
var operators = map(projectOperators, operator => {
  id: operator.id
  type: operator.?type ?? (operator.id == deployer().objectId ? deployerType : 'User')
})

// Modules refer to each other's resources by name, not by outputs: what-if and the compiler's snapshot can then say what
// refers to what, which they cannot while a module is conditional.
var storageId = resourceId(subscription().subscriptionId, groupName, 'Microsoft.Storage/storageAccounts', storageName)
var foundryId = resourceId(
  subscription().subscriptionId,
  groupName,
  'Microsoft.CognitiveServices/accounts',
  foundryName
)
var foundryBaseUrl = 'https://${foundryName}.services.ai.azure.com/api/projects/${foundryProjectName}/openai/v1'
var subnetType = 'Microsoft.Network/virtualNetworks/subnets'
var appSubnetId = resourceId(subscription().subscriptionId, groupName, subnetType, networkName, 'app')
var endpointSubnetId = resourceId(subscription().subscriptionId, groupName, subnetType, networkName, 'endpoints')

resource resourceGroup 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  scope: resourceGroup
  params: {
    name: identityName
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: resourceGroup
  params: {
    workspaceName: workspaceName
    insightsName: insightsName
    location: location
    tags: allTags
    retentionInDays: logRetentionDays
    dailyCapGb: logDailyCapGb
    samplingPercentage: samplingPercentage
  }
}

module storage 'modules/storage.bicep' = {
  scope: resourceGroup
  params: {
    name: storageName
    location: location
    tags: allTags
    deploymentContainerName: deploymentContainerName
    sku: storageSku
    privateNetwork: privateNetwork
    allowedIpAddresses: allowedIpAddresses
  }
}

module foundry 'modules/foundry.bicep' = if (!usesExistingEndpoint) {
  scope: resourceGroup
  params: {
    name: foundryName
    location: location
    tags: allTags
    projectName: foundryProjectName
    modelDeployments: modelDeployments
    privateNetwork: privateNetwork
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: resourceGroup
  params: {
    name: networkName
    suffix: suffix
    location: location
    tags: allTags
    addressPrefix: networkAddressPrefix
    dnsZoneNames: concat([blobZone, queueZone, tableZone], usesExistingEndpoint ? [] : foundryZones)
  }
}

module blobEndpoint 'modules/privateEndpoint.bicep' = if (privateNetwork) {
  scope: resourceGroup
  params: {
    name: 'pep-blob-${suffix}'
    location: location
    tags: allTags
    subnetId: endpointSubnetId
    targetId: storageId
    groupId: 'blob'
    dnsZoneNames: [blobZone]
  }
  dependsOn: [
    network
    storage
  ]
}

module queueEndpoint 'modules/privateEndpoint.bicep' = if (privateNetwork) {
  scope: resourceGroup
  params: {
    name: 'pep-queue-${suffix}'
    location: location
    tags: allTags
    subnetId: endpointSubnetId
    targetId: storageId
    groupId: 'queue'
    dnsZoneNames: [queueZone]
  }
  dependsOn: [
    network
    storage
  ]
}

module tableEndpoint 'modules/privateEndpoint.bicep' = if (privateNetwork) {
  scope: resourceGroup
  params: {
    name: 'pep-table-${suffix}'
    location: location
    tags: allTags
    subnetId: endpointSubnetId
    targetId: storageId
    groupId: 'table'
    dnsZoneNames: [tableZone]
  }
  dependsOn: [
    network
    storage
  ]
}

module foundryEndpoint 'modules/privateEndpoint.bicep' = if (privateNetwork && !usesExistingEndpoint) {
  scope: resourceGroup
  params: {
    name: 'pep-foundry-${suffix}'
    location: location
    tags: allTags
    subnetId: endpointSubnetId
    targetId: foundryId
    groupId: 'account'
    dnsZoneNames: foundryZones
  }
  dependsOn: [
    network
    foundry
  ]
}

module roles 'modules/roles.bicep' = {
  scope: resourceGroup
  params: {
    identityName: identityName
    storageName: storageName
    insightsName: insightsName
    projectOperators: operators
  }
  dependsOn: [
    identity
    monitoring
    storage
  ]
}

module foundryRoles 'modules/foundryRoles.bicep' = if (!usesExistingEndpoint) {
  scope: resourceGroup
  params: {
    identityName: identityName
    accountName: foundryName
    projectName: foundryProjectName
  }
  dependsOn: [
    identity
    foundry
  ]
}

module app 'modules/app.bicep' = {
  scope: resourceGroup
  params: {
    name: appName
    suffix: suffix
    location: location
    tags: allTags
    identityName: identityName
    storageName: storageName
    deploymentContainerName: deploymentContainerName
    insightsName: insightsName
    settings: union(
      {
        JWT_ISSUER: jwtIssuer
        JWT_AUDIENCE: jwtAudience
        OPENAI_BASE_URL: usesExistingEndpoint ? existingOpenAiBaseUrl : foundryBaseUrl
        OPENAI_TOKEN_SCOPE: openAiTokenScope
        ASSISTANTS: assistantsSetting
        RUN_TIMEOUT_SECONDS: string(runTimeoutSeconds)
        MAX_TOOL_ROUNDS: string(maxToolRounds)
        EVENT_STREAM_SECONDS: string(eventStreamSeconds)
        MAX_FILE_MB: string(maxFileMb)
        // string() would make it 'True'.
        CONSOLE: console ? 'true' : 'false'
      },
      empty(jwtJwksUri) ? {} : { JWT_JWKS_URI: jwtJwksUri },
      empty(openAiApiKeySecretUri) ? {} : { OPENAI_API_KEY: '@Microsoft.KeyVault(SecretUri=${openAiApiKeySecretUri})' },
      mapValues(mcpTokenSecretUris, uri => '@Microsoft.KeyVault(SecretUri=${uri})')
    )
    nodeVersion: nodeVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReadyInstances: alwaysReadyInstances
    corsAllowedOrigins: corsAllowedOrigins
    subnetId: privateNetwork ? appSubnetId : ''
  }
  // An app that starts before its roles and names exist answers errors until they do.
  dependsOn: [
    network
    roles
    foundryRoles
    blobEndpoint
    queueEndpoint
    tableEndpoint
    foundryEndpoint
  ]
}

module alerts 'modules/alerts.bicep' = if (alertsEnabled) {
  scope: resourceGroup
  params: {
    suffix: suffix
    location: location
    tags: allTags
    workspaceName: workspaceName
    insightsName: insightsName
    appName: appName
    emails: alertEmails
    slowCreateMs: slowCreateMs
  }
  dependsOn: [
    app
    monitoring
  ]
}

module protection 'modules/protection.bicep' = if (auditLogsEnabled || deletionLockEnabled || monthlyBudget > 0) {
  scope: resourceGroup
  params: {
    suffix: suffix
    storageName: storageName
    foundryName: usesExistingEndpoint ? '' : foundryName
    workspaceName: workspaceName
    auditLogsEnabled: auditLogsEnabled
    deletionLockEnabled: deletionLockEnabled
    monthlyBudget: monthlyBudget
    emails: alertEmails
  }
  dependsOn: [
    app
    foundry
    monitoring
    storage
  ]
}

@description('Name of the resource group.')
output AZURE_RESOURCE_GROUP string = resourceGroup.name

@description('Name of the function app, for deploying the package.')
output AZURE_FUNCTION_APP_NAME string = appName

@description('Address of the service, without a trailing slash.')
output SERVICE_BASE_URL string = app.outputs.baseUrl

@description('Table endpoint, for "npm run projects".')
output TABLES_ENDPOINT string = storage.outputs.tableEndpoint

@description('Queue endpoint, for "npm run projects", which reads the same settings as the service.')
output QUEUES_ENDPOINT string = storage.outputs.queueEndpoint

@description('Endpoint of the engine, for "npm run projects", which reads the same settings as the service.')
output OPENAI_BASE_URL string = usesExistingEndpoint ? existingOpenAiBaseUrl : foundryBaseUrl

@description('Object id of the app\'s identity, for granting it an existing endpoint or a Key Vault secret.')
output APP_PRINCIPAL_ID string = identity.outputs.principalId
