import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Ajv2020 from 'ajv/dist/2020.js'

/** The body of a request or of an answer, as it was on the wire. */
export interface Body {
  /** The operation, such as `POST /oauth/token`. */
  readonly operation: string
  /** A status or a range of the description, such as `4XX`. Without it, the body is that of the request. */
  readonly status?: number | string
  /** Default: JSON. */
  readonly mediaType?: string
  /** Without it, there is no body. */
  readonly value?: unknown
}

/** An OpenAPI 3.1 description, and what tests check about it. */
export interface Description {
  readonly document: { readonly paths: object; readonly components: { readonly schemas: object } }
  /** The names of the operations, such as `GET /api/keys`. */
  readonly operations: readonly string[]
  /** The problems that a linter finds with its recommended rules. */
  lint(): Promise<unknown>
  /** The members of the component schemas that have no description. */
  undescribed(): readonly string[]
  /** The faults of a body. A body that the description does not have is a fault. */
  faultsOf(body: Body): readonly unknown[]
}

const JSON_TYPE = 'application/json'

/** A program, because Jest cannot load the linter, which is an ES module. */
const LINTER = join(__dirname, 'lint-openapi.mjs')

export function readDescription(file: string): Description {
  const document = JSON.parse(readFileSync(file, 'utf8'))
  // An answer may have no member that its schema does not have.
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
  ajv.addSchema({ $id: 'openapi', ...closed(document) })
  return {
    document,
    operations: Object.entries<object>(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    ),
    async lint() {
      const { stdout } = await promisify(execFile)(process.execPath, [LINTER, file])
      return JSON.parse(stdout)
    },
    undescribed: () => undescribedIn(document.components.schemas, ''),
    faultsOf({ operation, status, mediaType = JSON_TYPE, value }) {
      const [method = '', path = ''] = operation.split(' ')
      const part = status === undefined ? ['requestBody'] : ['responses', String(status)]
      const found = follow(document, ['paths', path, method.toLowerCase(), ...part])
      const content = (found?.target as { content?: Record<string, unknown> } | undefined)?.content
      if (found === undefined) return [`${operation} has no ${part.join(' ')}`]
      if (value === undefined) return content === undefined || part[0] === 'requestBody' ? [] : ['no body']
      if (content?.[mediaType] === undefined) return [`${operation} ${part.join(' ')} has no ${mediaType}`]
      ajv.validate({ $ref: `openapi#${pointerOf([...found.path, 'content', mediaType, 'schema'])}` }, value)
      return ajv.errors ?? []
    },
  }
}

/** An object schema is closed unless it says that it is open. */
function closed(value: unknown): object {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value as never
  const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]))
  return 'properties' in members && !('additionalProperties' in members)
    ? { ...members, additionalProperties: false }
    : members
}

/** Finds a part of a description. Its last step may be a reference to a component. */
function follow(
  document: object,
  path: readonly string[],
): { readonly path: readonly string[]; readonly target: unknown } | undefined {
  let target: unknown = document
  for (const name of path) target = (target as Record<string, unknown> | undefined)?.[name]
  if (target === undefined) return undefined
  const { $ref } = target as { $ref?: string }
  return $ref === undefined ? { path, target } : follow(document, $ref.replace('#/', '').split('/'))
}

function pointerOf(path: readonly string[]): string {
  const parts = path.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
  return `/${parts.join('/')}`
}

function undescribedIn(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  const { properties } = value as { properties?: Record<string, { description?: string; $ref?: string }> }
  const own = Object.entries(properties ?? {})
    .filter(([name, member]) => !member.description && !member.$ref && name !== 'items')
    .map(([name]) => `${path}/${name}`)
  return [...own, ...Object.entries(value).flatMap(([name, one]) => undescribedIn(one, `${path}/${name}`))]
}
