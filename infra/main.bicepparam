using 'main.bicep'

import { flag, list, number, pairs, text } from 'environment.bicep'

// Everything that differs between environments is a variable, so that a variation once chosen stays: azd keeps what
// "azd env set" was given, GitHub the variables of an environment, and both read this one file. azd sets the AZURE_ ones.
// No variable may have the name of an output of main.bicep: azd and the pipeline keep the outputs as variables too.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param jwtIssuer = readEnvironmentVariable('JWT_ISSUER')
param jwtAudience = readEnvironmentVariable('JWT_AUDIENCE')
param jwtJwksUri = readEnvironmentVariable('JWT_JWKS_URI', '')
param corsAllowedOrigins = list(readEnvironmentVariable('CORS_ALLOWED_ORIGINS', ''))

// To look at it: no alerts, no probe from outside, the smallest instances and little quota.
var trial = flag(readEnvironmentVariable('TRIAL', ''), false)
param alertsEnabled = flag(readEnvironmentVariable('ALERTS_ENABLED', ''), !trial)
param instanceMemoryMB = trial ? 512 : 2048
param httpConcurrency = trial ? 25 : 100

// Storage and Foundry behind private endpoints. The app itself stays reachable: it is the API. Whoever runs
// "npm run projects", such as a pipeline, needs an address in ALLOWED_IP_ADDRESSES or a place in the network.
var private = flag(readEnvironmentVariable('PRIVATE_NETWORK', ''), false)
param privateNetwork = private
param allowedIpAddresses = list(readEnvironmentVariable('ALLOWED_IP_ADDRESSES', ''))
param storageSku = any(text(readEnvironmentVariable('STORAGE_SKU', ''), private ? 'Standard_ZRS' : 'Standard_LRS'))

// A team that has a Foundry project already: nothing of Foundry is created, and its owner grants the app's identity
// (output APP_PRINCIPAL_ID) the role Foundry User on that project. For OpenAI itself the key's secret is named too.
param existingOpenAiBaseUrl = readEnvironmentVariable('EXISTING_OPENAI_BASE_URL', '')
param openAiApiKeySecretUri = readEnvironmentVariable('OPENAI_API_KEY_SECRET_URI', '')

// Tokens that assistants send to MCP servers, as "NAME=SECRET_URI" between commas: each becomes the setting NAME.
param mcpTokenSecretUris = pairs(readEnvironmentVariable('MCP_TOKEN_SECRET_URIS', ''))

// Models of the Foundry account that is created. An assistant names one by its deployment name.
param modelDeployments = [
  {
    name: 'gpt-5.4-mini'
    model: 'gpt-5.4-mini'
    version: '2026-03-17'
    sku: 'GlobalStandard'
    capacity: number(readEnvironmentVariable('MODEL_CAPACITY', ''), trial ? 10 : 50)
  }
]

param nodeVersion = any(text(readEnvironmentVariable('FUNCTIONS_NODE_VERSION', ''), '24'))
param maximumInstanceCount = number(readEnvironmentVariable('MAXIMUM_INSTANCE_COUNT', ''), 40)
param alwaysReadyInstances = number(readEnvironmentVariable('ALWAYS_READY_INSTANCES', ''), private ? 2 : 0)

param alertEmails = list(readEnvironmentVariable('ALERT_EMAILS', ''))
param logDailyCapGb = number(readEnvironmentVariable('LOG_DAILY_CAP_GB', ''), 1)
param console = flag(readEnvironmentVariable('CONSOLE', ''), false)
param auditLogsEnabled = flag(readEnvironmentVariable('AUDIT_LOGS', ''), false)
param deletionLockEnabled = flag(readEnvironmentVariable('DELETION_LOCK', ''), false)
param monthlyBudget = number(readEnvironmentVariable('MONTHLY_BUDGET', ''), 0)

// Whoever provisions also applies the projects: azd sets the id of the person, the pipeline that of its identity.
var operatorId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
var operatorType = readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', '')
param projectOperators = empty(operatorId)
  ? []
  : [
      union({ id: operatorId }, empty(operatorType) ? {} : { type: operatorType })
    ]
