using '../main.bicep'
extends '../main.bicepparam'

// To look at it: no alerts, no probe from outside, the smallest instances and little quota.
param alertsEnabled = false
param instanceMemoryMB = 512
param httpConcurrency = 25
param modelDeployments = [
  {
    name: 'gpt-5.4-mini'
    model: 'gpt-5.4-mini'
    version: '2026-03-17'
    sku: 'GlobalStandard'
    capacity: 10
  }
]
