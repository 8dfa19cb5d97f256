import type { Test } from 'supertest'
import type { AdministrationAccess, AdministrationOptions, ProvisioningOptions } from '../../lib/index.js'
import { send } from './requests.js'
import { mountAll, type RunningServer, startServer } from './server.js'

/** What a test wants of a server with an administration. */
export interface AdministrationPlan {
  readonly options?: Partial<ProvisioningOptions>
  readonly authorize?: AdministrationOptions['authorize']
  readonly page?: boolean
  /** Default: `/admin`. */
  readonly path?: string
}

/** The header by which `authorizeByHeader` knows an operator. */
export const AS = 'X-Operator'

const ACCESS: Readonly<Record<string, AdministrationAccess>> = {
  alice: { role: 'operate', actor: 'alice' },
  victor: { role: 'view', actor: 'victor' },
}

/** Lets alice operate and victor view. */
export const authorizeByHeader: AdministrationOptions['authorize'] = (req) =>
  ACCESS[req.get(AS) ?? ''] ?? false

export function startAdministration({
  options = {},
  authorize = authorizeByHeader,
  page = false,
  path = '/admin',
}: AdministrationPlan = {}): Promise<RunningServer> {
  return startServer({
    options,
    mount(app, keys) {
      app.use(path, keys.administration({ authorize, page }))
      mountAll(app, keys)
    },
  })
}

type Target = Pick<RunningServer, 'origin' | 'cert'>

/** Reads from the API as alice. */
export function readApi(server: Target, path: string): Test {
  return send(server, 'get', `/admin/api/${path}`).set(AS, 'alice')
}

/** Acts as alice. */
export function act(server: Target, path: string, body: object): Test {
  return send(server, 'post', `/admin/api/${path}`).set(AS, 'alice').send(body)
}
