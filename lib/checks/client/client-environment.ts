import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NAMES } from './genuine-issuer.js'
import type { Supply } from './observation.js'
import type { SecretSearch } from './secret-search.js'

/** The variables with which OpenSSL, Node, curl and Python find the authorities that they trust, and one for others. */
const AUTHORITY_VARIABLES = [
  'CA_FILE',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
]

/** The variables that say which client this is. Those that the client must not have are `undefined`. */
export function variablesFor(supply: Supply, credential: string): NodeJS.ProcessEnv {
  const isClient = supply === 'client'
  return {
    ACTION: 'bind',
    PROVISIONING_KEY: isClient ? undefined : credential,
    CLIENT_ID: isClient ? NAMES.clientId : undefined,
    CLIENT_SECRET: isClient ? credential : undefined,
    SUBJECT: isClient ? NAMES.subject : undefined,
    SCOPE: isClient ? NAMES.scope : undefined,
  }
}

/** The variables that say where the issuer is, where the state is, and whom to trust. */
export async function placesIn(
  folder: string,
  { issuer, authority }: { readonly issuer: string; readonly authority?: string },
): Promise<NodeJS.ProcessEnv> {
  const file = join(folder, 'authority.pem')
  if (authority !== undefined) await writeFile(file, authority)
  return {
    ISSUER: issuer,
    STATE: join(folder, 'state'),
    // A proxy cannot reach this machine by its name.
    NO_PROXY: '127.0.0.1,localhost',
    no_proxy: '127.0.0.1,localhost',
    ...(authority !== undefined && Object.fromEntries(AUTHORITY_VARIABLES.map((name) => [name, file]))),
  }
}

/** The files with secrets in a folder that other users of the machine can read. */
export async function filesForOthers(folder: string, search: SecretSearch): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true })
  const open = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name)
      const { mode } = await stat(path).catch(() => ({ mode: 0 }))
      const isOpen = process.platform !== 'win32' && (mode & 0o077) !== 0
      return isOpen && search.find(await readFile(path, 'utf8').catch(() => '')).length > 0 ? [name] : []
    }),
  )
  return open.flat()
}
