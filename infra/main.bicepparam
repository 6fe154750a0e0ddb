using 'main.bicep'

// Everything that differs between environments comes from variables. azd sets the AZURE_ ones by itself; the others are
// set once with "azd env set", in the pipeline's environment, or in the shell before "az deployment sub create".
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param jwtIssuer = readEnvironmentVariable('JWT_ISSUER')
param jwtAudience = readEnvironmentVariable('JWT_AUDIENCE')
param jwtJwksUri = readEnvironmentVariable('JWT_JWKS_URI', '')
param alertEmails = filter(split(readEnvironmentVariable('ALERT_EMAILS', ''), ','), email => !empty(email))

// Whoever provisions also applies the projects: azd sets the id of the person, the pipeline that of its identity.
var operatorId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param projectOperators = empty(operatorId)
  ? []
  : [
      {
        id: operatorId
        type: readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', 'User')
      }
    ]
