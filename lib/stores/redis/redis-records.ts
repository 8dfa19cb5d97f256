import type {
  Confirmation,
  KeyEntry,
  KeyRecord,
  KeyRef,
  KeyState,
  Lease,
  Recollection,
  Settlement,
} from '../../ports/store.js'
import { encoded } from './redis-layout.js'

/** What the script `record` is told of a key, in its order. Member by member: nothing else the caller's object carries is sent. */
export function operandsOf(key: KeyRecord, outstanding: number): string[] {
  const { jkt, 'x5t#S256': certificate } = key.confirmation ?? {}
  const confirmation = { ...(jkt && { jkt }), ...(certificate && { 'x5t#S256': certificate }) }
  return [
    textOf(key.subject),
    numberOf(key.issuedAt, 'issuedAt'),
    String(key.retainUntil),
    String(outstanding),
    JSON.stringify(key.scope),
    textOf(key.audience),
    numberOf(key.expiresAt, 'expiresAt'),
    key.confirmation === undefined ? '' : JSON.stringify(confirmation),
  ]
}

/** What the script `redeem` is told of the ownerId: who it is, and when the lease of a claim made now ends. */
export function leaseOperands(lease: Lease | undefined, seconds: number): string[] {
  if (lease === undefined) return []
  const { ownerId, leaseSeconds } = lease
  if (!(leaseSeconds > 0 && Number.isFinite(leaseSeconds)))
    throw new RangeError(`leaseSeconds: expected a number of seconds above 0, got ${String(leaseSeconds)}`)
  return [textOf(ownerId), String(seconds + leaseSeconds)]
}

/** What the script `settle` is told to keep of a redemption: names and values. */
export function settlementOperands({ outcome, request, familyClientId }: Settlement = {}): string[] {
  return Object.entries({ outcome, request, brought: familyClientId }).flatMap(([name, value]) =>
    value === undefined ? [] : [name, textOf(value)],
  )
}

/** What the script `recall` answered. */
export function recollectionFrom(reply: unknown): Recollection | undefined {
  if (!Array.isArray(reply)) throw new Error('Redis: expected a list as the answer of recall')
  const [redemption, ...kept] = reply.map(String)
  if (redemption === undefined) return undefined
  const textUnder = (name: string) => kept.find((_, i) => i % 2 === 1 && kept[i - 1] === name)
  const [outcome, request] = [textUnder('outcome'), textUnder('request')]
  return Object.freeze({
    redemption,
    ...(outcome !== undefined && { outcome }),
    ...(request !== undefined && { request }),
  })
}

const STATES: readonly string[] = ['issued', 'redeeming', 'redeemed', 'revoked'] satisfies KeyState[]

/** What the script `find` answered. */
export function entryFrom({ clientId, jti }: KeyRef, reply: unknown): KeyEntry | undefined {
  if (!Array.isArray(reply)) throw new Error('Redis: expected a list as the answer of find')
  if (reply.length === 0) return undefined
  const [state = '', family, subject = '', scope = '', audience = '', ...rest] = reply.map(String)
  const [issuedAt = '', expiresAt = '', retainUntil = '', changedAt = '', reservedAt, ...others] = rest
  const [confirmation, familyClientId] = others
  if (reply.length < 11 || reply.length > 12 || !STATES.includes(state))
    throw new Error('Redis: an entry is not whole')
  return Object.freeze({
    clientId,
    jti,
    subject,
    scope: Object.freeze(JSON.parse(scope) as string[]),
    audience,
    issuedAt: Number(issuedAt),
    expiresAt: Number(expiresAt),
    retainUntil: Number(retainUntil),
    ...(confirmation && { confirmation: Object.freeze(JSON.parse(confirmation) as Confirmation) }),
    state: state as KeyState,
    changedAt: Number(changedAt),
    ...(reservedAt && { reservedAt: Number(reservedAt) }),
    familyRevoked: family === 'revoked',
    ...(familyClientId !== undefined && { familyClientId }),
  })
}

/** Text that is the same after it has been to Redis and back. */
export function textOf(text: string): string {
  encoded(text)
  return text
}

function numberOf(value: number, name: string): string {
  requireFinite(value, name)
  return String(value)
}

export function requireFuture(time: number, seconds: number, name = 'retainUntil'): void {
  requireFinite(time, name)
  // A clock that tells no time finds nothing in the future.
  if (!(time > seconds))
    throw new RangeError(`${name}: expected a time in the future (now ${seconds}), got ${time}`)
}

export function requireFinite(time: number, name = 'retainUntil'): void {
  if (!Number.isFinite(time)) throw new RangeError(`${name}: expected a time in seconds, got ${String(time)}`)
}
