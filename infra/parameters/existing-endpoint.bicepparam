using '../main.bicep'
extends '../main.bicepparam'

// A team that has a Foundry project already: nothing of Foundry is created, and its owner grants the app's identity
// (output APP_PRINCIPAL_ID) the role Foundry User on that project. For OpenAI itself the key's secret is named too.
param existingOpenAiBaseUrl = readEnvironmentVariable('OPENAI_BASE_URL')
param openAiApiKeySecretUri = readEnvironmentVariable('OPENAI_API_KEY_SECRET_URI', '')
