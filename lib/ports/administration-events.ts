/** What an operator has done in the administration. */
export interface AdministrationAct {
  readonly action:
    | 'revoke_key'
    | 'revoke_all_keys'
    | 'revoke_family'
    | 'revoke_binding'
    | 'lock_client'
    | 'unlock_client'
    | 'delete_client'
    | 'close_finding'
  /** The operator, as `authorize` names it. */
  readonly author: string
  /** The answer of the operation, or `failed` if there was none. */
  readonly outcome: string
  readonly clientId?: string
  readonly keyId?: string
  readonly bindingId?: string
  readonly findingId?: string
}

/** A request that the administration has refused. */
export interface AdministrationRefusal {
  /** Why it was refused: all reasons but `cross_site` are decisions of `authorize`. */
  readonly reason: 'forbidden' | 'read_only' | 'undecided' | 'cross_site'
  readonly method: string
  /** Below the mount path, and at most 100 characters. */
  readonly path: string
}
