metadata description = 'Ids from Microsoft\'s list of built-in roles; this is the only place that names them.'

// The host keeps its keys and leases in AzureWebJobsStorage, for which Microsoft's documentation asks for the owner
// role; the deployed package is written to and read from the deployment container with the same identity.
@export()
@description('Storage Blob Data Owner.')
var storageBlobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'

// Projects, threads and runs.
@export()
@description('Storage Table Data Contributor.')
var storageTableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'

// Follow-ups of runs and deletions: sending them, and the trigger that works them off. The trigger asks for a queue's
// properties besides its messages, which "Storage Queue Data Message Processor" may not.
@export()
@description('Storage Queue Data Contributor.')
var storageQueueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'

// Sending telemetry to a component that takes no keys.
@export()
@description('Monitoring Metrics Publisher.')
var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

// Conversations and responses of a project.
@export()
@description('Foundry User, called Azure AI User until its renaming.')
var foundryUser = '53ca6127-db72-4b80-b1b0-d745d6d5456d'
