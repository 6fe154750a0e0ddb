metadata description = 'A private endpoint of one resource, with its names in the private DNS zones.'

@description('Name of the endpoint.')
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Resource id of the subnet.')
param subnetId string

@description('Resource id of what the endpoint leads to.')
param targetId string

@description('Sub-resource of the target: blob, queue, table or account.')
param groupId ('blob' | 'queue' | 'table' | 'account')

@description('Names of the private DNS zones that get the address; they are in this resource group.')
param dnsZoneNames string[]

resource endpoint 'Microsoft.Network/privateEndpoints@2025-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: name
        properties: {
          privateLinkServiceId: targetId
          groupIds: [
            groupId
          ]
        }
      }
    ]
  }
}

resource dnsZoneGroup 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-01-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      for zone in dnsZoneNames: {
        name: replace(zone, '.', '-')
        properties: {
          privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', zone)
        }
      }
    ]
  }
}
