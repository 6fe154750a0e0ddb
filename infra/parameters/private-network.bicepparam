using '../main.bicep'
extends '../main.bicepparam'

// Storage and Foundry behind private endpoints. The app itself stays reachable: it is the API. Whoever runs
// "npm run projects", such as a pipeline, needs an address in allowedIpAddresses or a place in the network.
param privateNetwork = true
param allowedIpAddresses = filter(
  split(readEnvironmentVariable('ALLOWED_IP_ADDRESSES', ''), ','),
  address => !empty(address)
)
param storageSku = 'Standard_ZRS'
param alwaysReadyInstances = 2
