import { deadline } from '../base/deadline.js'
import { isObject, parseObject } from '../base/object.js'
import { systemCode } from '../base/system-code.js'
import { oneLine } from '../client/failure.js'
import { authorizationServerMetadataPath } from '../http/documents.js'
import { readJwkSet } from '../jose/jwk-set.js'
import type { SigningKey } from '../jose/key-ring.js'
import { httpsUrl, localUrl } from '../options/https-url.js'
import { fetchJson } from '../remote/fetch-json.js'
import { type Given, type OptionTable, readFileOf, UsageError } from './arguments.js'

/** The options that name the metadata of a deployment. */
export const DOCUMENT_OPTIONS: OptionTable = {
  issuer: { value: 'URL', about: 'Fetch the metadata and the JWK Set of this issuer' },
  metadata: { value: 'FILE', about: 'Read the metadata of the issuer or the API from FILE' },
  jwks: { value: 'FILE', about: 'Read the JWK Set of the issuer from FILE' },
}

/** What is known about a deployment. */
export interface DeploymentDocuments {
  readonly issuer?: string
  /** The audience, if the metadata is that of an API (RFC 9728 2). */
  readonly audience?: string
  readonly keys?: ReadonlyMap<string, SigningKey>
}

const TIMEOUT_MILLISECONDS = 10_000

/**
 * Reads the documents of a deployment. It uses the network only if there is an issuer and no file.
 *
 * @throws UsageError
 */
export async function readDocuments({
  issuer,
  metadata,
  jwks,
}: Given['options']): Promise<DeploymentDocuments> {
  const url = issuer === undefined ? undefined : issuerUrl(issuer)
  const isFetched = url !== undefined && metadata === undefined && jwks === undefined
  if (isFetched) return fetchDocuments(url, issuer ?? '')
  const document = metadata === undefined ? {} : readJson('--metadata', metadata)
  const { issuer: named, resource, authorization_servers: servers } = document
  const known = issuer ?? (typeof named === 'string' ? named : onlyText(servers))
  if (metadata !== undefined && known === undefined && typeof resource !== 'string')
    throw new UsageError('--metadata: expected a JSON object with issuer or resource, got neither')
  return {
    ...(known !== undefined && { issuer: known }),
    ...(typeof resource === 'string' && { audience: resource }),
    ...(jwks !== undefined && { keys: keysOf('--jwks', readJson('--jwks', jwks)) }),
  }
}

function onlyText(list: unknown): string | undefined {
  return Array.isArray(list) && list.length === 1 && typeof list[0] === 'string' ? list[0] : undefined
}

function issuerUrl(issuer: string): URL {
  const url = httpsUrl(issuer) ?? localUrl(issuer)
  if (url === undefined)
    throw new UsageError('--issuer: expected an https URL or http://localhost, got another text')
  return url
}

async function fetchDocuments(url: URL, issuer: string): Promise<DeploymentDocuments> {
  const metadata = await fetched(new URL(authorizationServerMetadataPath(issuer), url))
  if (metadata.issuer !== issuer)
    throw new UsageError('--issuer: expected the issuer as its metadata names it, got another spelling')
  const address = localUrl(metadata.jwks_uri)
  if (address === undefined) return { issuer }
  return { issuer, keys: keysOf('--issuer', await fetched(address)) }
}

async function fetched(url: URL): Promise<Readonly<Record<string, unknown>>> {
  try {
    const inTime = deadline({ milliseconds: TIMEOUT_MILLISECONDS, who: 'The server' })
    const { json } = await fetchJson({ fetch, inTime }, url)
    if (isObject(json)) return json
    throw new Error('the answer is not a JSON object')
  } catch (error) {
    const why = systemCode(error) ?? oneLine(error)
    throw new UsageError(
      `--issuer: cannot read ${url.href} (${why}); --metadata and --jwks work without a network`,
    )
  }
}

function keysOf(option: string, document: unknown): ReadonlyMap<string, SigningKey> {
  const keys = readJwkSet(document)
  if (typeof keys === 'string') throw new UsageError(`${option}: the JWK Set is refused: ${keys}`)
  return keys
}

/** Reads a file with a JSON object. */
export function readJson(option: string, file: string): Readonly<Record<string, unknown>> {
  const value = parseObject(readFileOf(option, file))
  if (value === undefined)
    throw new UsageError(`${option}: expected a JSON object in ${file}, got another text`)
  return value
}
