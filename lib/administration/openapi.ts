import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Reads the OpenAPI 3.1 description of the API. */
export function openApiDescription(path = join(__dirname, 'openapi.json')): object {
  return JSON.parse(readFileSync(path, 'utf8'))
}
