import { withoutUndefined } from '../base/object.js'
import { object, oneOf, parse, required, whole } from '../base/schema.js'
import type { IssuedKeyRef, RevokeAllOptions } from '../operations/operations.js'
import { callStore, numericDate } from '../ports/deployment.js'
import { KEY_COUNTS, MOST_LISTED } from '../ports/listing.js'
import type { KeyEntry } from '../ports/store.js'
import { act } from './act.js'
import type { Call } from './call.js'
import { aClientId, anId, type ListQuery, listMembers, pageOf, searchPages } from './parameters.js'
import { Problem } from './problem.js'

type State = (typeof KEY_COUNTS)[number]

interface KeysQuery extends ListQuery {
  readonly clientId?: string
  readonly subject?: string
  readonly state?: State
}

const readKeysQuery = object<KeysQuery>({
  clientId: aClientId,
  subject: aClientId,
  state: oneOf(KEY_COUNTS),
  ...listMembers,
})

const readKeyName = object<IssuedKeyRef>({ clientId: required(aClientId), keyId: required(anId) })

/** Lists keys, the latest first. */
export async function listKeys(call: Call): Promise<object> {
  const { state, clientId, subject, ...list } = parse(readKeysQuery, call.parameters, '')
  const { deployment } = call.context.config
  const now = numericDate(deployment)
  const stored = withoutUndefined({ clientId, state: storedState(state) })
  const page = await searchPages<KeyView>(pageOf(list), {
    async read(query) {
      const { keys, ...read } = await deployment.store.listKeys({ ...query, ...stored })
      return { ...read, items: keys.map((key) => keyView(key, now)) }
    },
    // An expired key is stored as issued.
    matches: (key) => matches(key, state) && (subject === undefined || key.subject === subject),
    ...(subject !== undefined && { size: MOST_LISTED }),
  })
  return withoutUndefined(page)
}

function storedState(state: State | undefined) {
  return state === 'expired' ? undefined : state
}

function matches({ state, isExpired }: KeyView, wanted: State | undefined): boolean {
  const isOver = isExpired && (state === 'issued' || state === 'redeeming')
  return wanted === undefined || (wanted === 'expired' ? isOver : !isOver)
}

/** Shows one key, and the events of this process that name it. */
export async function showKey({ context, parameters }: Call): Promise<object> {
  const { deployment } = context.config
  const name = parse(readKeyName, parameters, '')
  const entry = await callStore(() => deployment.store.find({ clientId: name.clientId, jti: name.keyId }))
  const events = context.log.ofKey(name)
  if (entry === undefined && events.length === 0) throw NO_KEY
  return withoutUndefined({ key: entry && keyView(entry, numericDate(deployment)), events })
}

export async function revokeKey(call: Call): Promise<object> {
  const key = parse(readKeyName, call.parameters, '')
  return act(call, { action: 'revoke_key', ...key }, (operations) => operations.revokeKey(key), NO_KEY)
}

export async function revokeFamily(call: Call): Promise<object> {
  const key = parse(readKeyName, call.parameters, '')
  return act(call, { action: 'revoke_family', ...key }, (operations) => operations.revokeFamily(key), NO_KEY)
}

/** Revokes the keys of everybody. */
export async function revokeAllKeys(call: Call): Promise<object> {
  return revokeIssued(call, parse(object<Issued>({ issuedBefore: aPastTime(call) }), call.parameters, ''))
}

/** Revokes all keys of one client. Without `clientId`, it is refused: a forgotten name must not mean everybody. */
export async function revokeKeysOfClient(call: Call): Promise<object> {
  const members = { clientId: required(aClientId), issuedBefore: aPastTime(call) }
  return revokeIssued(call, parse(object<Issued & Required<RevokeAllOptions>>(members), call.parameters, ''))
}

interface Issued {
  /** NumericDate. Default: now. */
  readonly issuedBefore?: number
}

function aPastTime({ context }: Call) {
  const { deployment } = context.config
  const latest = numericDate(deployment) + deployment.clockToleranceSeconds
  return whole(0, latest, ' seconds since 1970, not in the future')
}

function revokeIssued(call: Call, { issuedBefore, ...whose }: Issued & RevokeAllOptions): Promise<object> {
  const { deployment } = call.context.config
  const time = new Date((issuedBefore ?? numericDate(deployment)) * 1000)
  return act(call, { action: 'revoke_all_keys', ...whose }, (operations) =>
    operations.revokeAllIssuedBefore(time, whose),
  )
}

const NO_KEY = new Problem(
  404,
  'There is no such key. The server forgets a key when it and its access token have expired.',
)

/** A key, as the API shows it. It has ids, and never the key itself. */
interface KeyView
  extends Omit<KeyEntry, 'jti' | 'confirmation' | 'claimsDigest' | 'issuedToAgent' | 'retainUntil'> {
  readonly keyId: string
  readonly isExpired: boolean
  readonly binding: 'none' | 'dpop' | 'certificate'
}

function keyView(entry: KeyEntry, now: number): KeyView {
  const { jti, confirmation, claimsDigest, issuedToAgent, retainUntil, ...shown } = entry
  const { jkt, 'x5t#S256': certificate } = confirmation ?? {}
  const binding = jkt !== undefined ? 'dpop' : certificate !== undefined ? 'certificate' : 'none'
  return { ...shown, keyId: jti, isExpired: entry.expiresAt < now, binding }
}
