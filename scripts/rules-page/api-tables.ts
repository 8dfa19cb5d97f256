import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Schema {
  readonly description?: string
  readonly type?: string
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly $ref?: string
}

interface Operation {
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly parameters?: readonly { readonly name: string; readonly required?: boolean }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** The OpenAPI description that the administration serves. */
function readDescription(): Description {
  const file = join(__dirname, '..', '..', 'lib', 'administration', 'openapi.json')
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** The table of the endpoints with one tag. Optional parameters are in brackets. */
export function endpointTable(tag: string): string {
  const rows = Object.entries(readDescription().paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { tags }]) => tags.includes(tag))
      .map(([method, operation]) => {
        const parameters = [...inQuery(operation), ...inBody(operation)].join(', ')
        return `| \`${method.toUpperCase()} ${path}\` | ${operation.summary} | ${parameters} | ${operation.description} |`
      }),
  )
  return ['| Endpoint | Purpose | Parameters | Details |', '|---|---|---|---|', ...rows].join('\n')
}

function inQuery({ parameters = [] }: Operation): readonly string[] {
  return parameters.map(({ name, required }) => optional(name, required === true))
}

function inBody({ requestBody }: Operation): readonly string[] {
  const { properties = {}, required = [] } = requestBody?.content['application/json']?.schema ?? {}
  return Object.keys(properties).map((name) => optional(name, required.includes(name)))
}

function optional(name: string, isRequired: boolean): string {
  return isRequired ? `\`${name}\`` : `[\`${name}\`]`
}

/** The tables of the objects in the answers. Members that can be missing are in brackets. */
export function objectTables(): string {
  return Object.entries(readDescription().components.schemas)
    .filter(([, { properties }]) => properties !== undefined)
    .map(([name, { description, properties = {}, required = [] }]) => {
      const rows = Object.entries(properties).map(
        ([member, schema]) =>
          `| ${optional(member, required.includes(member))} | ${typeOf(schema)} | ${textOf(schema)} |`,
      )
      return [
        `### ${name}`,
        '',
        description,
        '',
        '| Member | Type | Meaning |',
        '|---|---|---|',
        ...rows,
      ].join('\n')
    })
    .join('\n\n')
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(', ')
  const { $ref, items, type = '' } = schema
  if ($ref !== undefined) return linkTo($ref)
  return items === undefined ? type : `list of ${typeOf(items)}`
}

function textOf({ description, $ref }: Schema): string {
  if (description !== undefined) return description
  const schema = readDescription().components.schemas[nameOf($ref)] ?? {}
  const sentences = schema.description?.split(/(?<=\.) /) ?? []
  // An object has a section of its own, with all sentences.
  return sentences.slice(0, schema.properties === undefined ? undefined : 1).join(' ')
}

function nameOf($ref = ''): string {
  return $ref.replace('#/components/schemas/', '')
}

function linkTo($ref: string): string {
  const name = nameOf($ref)
  const schema = readDescription().components.schemas[name] ?? {}
  return schema.properties === undefined ? typeOf(schema) : `[${name}](#${name.toLowerCase()})`
}
