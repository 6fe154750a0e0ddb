metadata description = 'Shapes of the parameters that are more than a string.'

@export()
@description('A model deployment of the Foundry account; assistants name it by its deployment name.')
type modelDeployment = {
  @description('Deployment name: what an assistant has as its model.')
  @minLength(2)
  @maxLength(64)
  name: string

  @description('Name of the model in the catalogue.')
  model: string

  @description('Version of the model. Pinned: a new version is a change to review, not a surprise.')
  version: string

  @description('Where prompts may be processed: anywhere (Global), in the data zone, or in the region only.')
  sku: 'GlobalStandard' | 'DataZoneStandard' | 'Standard'

  @description('Thousands of tokens a minute; the quota of the subscription and region bounds it.')
  @minValue(1)
  capacity: int
}

@export()
@description('A person, group or workload identity of Entra ID.')
type principal = {
  @description('Object id in Entra ID (of the service principal, not of the app registration).')
  @minLength(36)
  @maxLength(36)
  id: string

  @description('Kind of the principal; a wrong one makes the role assignment fail. Without it: that of whoever deploys, if it is the same.')
  type: ('User' | 'Group' | 'ServicePrincipal')?
}

@export()
@description('A principal whose kind is known.')
type assignee = {
  @description('Object id in Entra ID.')
  id: string

  @description('User, Group or ServicePrincipal.')
  type: string
}
