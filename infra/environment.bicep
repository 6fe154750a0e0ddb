metadata description = 'Reads what main.bicepparam is given: a GitHub variable that is not set arrives as an empty text.'

@export()
@description('A switch: "true" or "false". Anything else stops the compiler, instead of quietly meaning one of them.')
func flag(value string, otherwise bool) bool => empty(value) ? otherwise : bool(value)

@export()
@description('A whole number.')
func number(value string, otherwise int) int => empty(value) ? otherwise : int(value)

@export()
@description('A text.')
func text(value string, otherwise string) string => empty(value) ? otherwise : value

@export()
@description('Texts between commas.')
func list(value string) string[] => filter(map(split(value, ','), item => trim(item)), item => !empty(item))

@export()
@description('Texts by their names, as "NAME=text" between commas.')
func pairs(value string) { *: string } =>
  toObject(
    filter(map(split(value, ','), item => trim(item)), item => !empty(item)),
    item => trim(split(item, '=')[0]),
    item => trim(substring(item, indexOf(item, '=') + 1))
  )
