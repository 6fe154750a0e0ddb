metadata description = 'The assistants, one file each. Written by "node infra/assistants.ts"; do not edit.'

@export()
@description('Every assistant of infra/assistants.')
var assistants = [
  loadJsonContent('assistants/docs-helper.json')
]

@export()
@description('The files that are listed above.')
var assistantFiles = [
  'docs-helper.json'
]
