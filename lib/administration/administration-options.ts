import type { Request } from 'express'
import { aFunction, flag, object, required } from '../base/schema.js'

/**
 * What an operator may do. `view`: read everything. `operate`: also revoke, lock, unlock, delete clients and close findings.
 *
 * @example
 * const roleOf = (isAdministrator: boolean): AdministrationRole => (isAdministrator ? 'operate' : 'view')
 */
export type AdministrationRole = 'view' | 'operate'

/**
 * The answer of `authorize`: the role of the operator, or `false` for everybody else. Name the `actor`, so that the audit
 * log says who has acted.
 *
 * @example
 * const access: AdministrationAccess = { role: 'operate', actor: 'alice' }
 */
export type AdministrationAccess =
  | false
  | AdministrationRole
  | {
      /**
       * What the operator may do.
       * @example 'view'
       */
      readonly role: AdministrationRole
      /**
       * The name of the operator, for the audit log: 1 to 256 characters.
       * @example 'alice'
       */
      readonly actor: string
    }

/**
 * The options of `keys.administration()`.
 *
 * @example
 * const options: AdministrationOptions = {
 *   authorize: (req) => req.get('x-forwarded-user') === 'alice' && { role: 'operate', actor: 'alice' },
 *   page: true,
 * }
 */
export interface AdministrationOptions {
  /**
   * Decides for each request what its sender may do. It has no default. If it throws, takes more than 5 seconds or returns
   * anything else, the request gets 503. For `false` it gets 403.
   * @example (req) => req.get('x-forwarded-user') === 'alice' && { role: 'operate', actor: 'alice' }
   */
  readonly authorize: (req: Request) => AdministrationAccess | Promise<AdministrationAccess>
  /**
   * Whether to serve the operator's page too, and not only the API. Default: `false`.
   * @example true
   */
  readonly page?: boolean
}

export const readAdministrationOptions = object<AdministrationOptions>(
  {
    authorize: required(aFunction("a function that returns false, 'view' or 'operate' for a request")),
    page: flag,
  },
  "an object with authorize, such as { authorize: (req) => isAdministrator(req) && 'operate' }",
)
