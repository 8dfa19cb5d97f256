import { describeSecret, newFaults } from '../base/faults.js'
import { isObject, parseJson, parseObject } from '../base/object.js'
import { object, oneOf, required, rule, text, whole } from '../base/schema.js'
import { oneLine, ProvisionError } from './failure.js'
import { isProvisioningKey } from './provisioning-key.js'
import type { PrivateKeyJwk } from './signer.js'

/**
 * Keeps the state of one device, for example in a file, in a secret store, or in the browser. The state is text, and
 * contains a private key, unless you pass a `signer`. `fileState()` of `express-provisioning-keys/client/node` is one for
 * Node.
 *
 * @example
 * let kept: string | undefined
 * const state: StateStorage = {
 *   load: () => kept,
 *   save: (text) => void (kept = text),
 *   clear: () => void (kept = undefined),
 * }
 */
export interface StateStorage {
  /** Where the text is, such as the path of its file. Error messages name it. */
  readonly location?: string
  /** Returns the saved text, or `undefined` if there is none. */
  load(): string | undefined | Promise<string | undefined>
  /**
   * Saves the text. It must be durable when this returns.
   *
   * @param text the new state
   * @param previous the text of the last `load()`. If two processes can use the storage, compare it with the saved text: if
   *   they differ, save nothing and return `false`.
   */
  save(text: string, previous: string | undefined): unknown
  /**
   * Rejects if `save()` would fail, for example because the disk is full. It is called before the issuer is asked for a key.
   * Without it, each start with a full disk asks for a key that nobody redeems.
   */
  trySave?(): unknown
  /**
   * Deletes the saved text.
   *
   * @param previous the text of the last `load()` or `save()`. If two processes can use the storage, compare it with the
   *   saved text: if they differ, delete nothing and return `false`.
   */
  clear(previous?: string): unknown
}

/**
 * The action for which a key is redeemed: bind a key pair, register a client, or get an access token.
 *
 * @example
 * const action: ProvisionAction = 'bind'
 */
export type ProvisionAction = 'token' | 'bind' | 'register'
export const ACTIONS: readonly ProvisionAction[] = ['token', 'bind', 'register']

/** The key pair of an attempt or of a result. The private key is missing if a `signer` has it. */
export interface SavedKeyPair {
  readonly privateKey?: PrivateKeyJwk
  readonly thumbprint: string
}

/** A request that redeems a key, byte for byte. It is saved before it is sent. */
export interface Attempt extends SavedKeyPair {
  /** The provisioning key. */
  readonly key: string
  readonly url: string
  readonly contentType?: string
  readonly body?: string
}

/** The result of a redemption. */
export interface Result extends SavedKeyPair {
  readonly clientId: string
  /** The `jti` of the redeemed key. */
  readonly keyId: string
  /** The answer of the issuer, as JSON. */
  readonly answer: string
  /** NumericDates, by the clock of the issuer. */
  readonly completedAt: number
  readonly expiresAt?: number
  /** The issuer undoes the result at this time, unless the device has used it before; absent: it is confirmed. */
  readonly confirmBy?: number
}

/** The state of a device. With both members, the device renews its binding. */
export interface State {
  readonly issuer: string
  readonly action: ProvisionAction
  readonly result?: Result
  readonly attempt?: Attempt
}

const FORMAT = 'express-provisioning-keys/client'
const VERSION = 1

const aText = text('a text')
const readPair = {
  privateKey: rule<PrivateKeyJwk>(
    'the private key as a JWK',
    (value) => isObject(value) && value['kty'] === 'EC' && typeof value['d'] === 'string',
    describeSecret,
  ),
  thumbprint: required(aText),
}
const readState = object<State & { readonly format: string; readonly version: number }>({
  format: required(aText),
  version: required(whole(1)),
  issuer: required(aText),
  action: required(oneOf(ACTIONS)),
  attempt: object<Attempt>({
    ...readPair,
    key: required(rule('a provisioning key', isProvisioningKey, describeSecret)),
    url: required(rule('a URL', (value) => typeof value === 'string' && URL.canParse(value))),
    contentType: aText,
    body: rule('a text', (value) => typeof value === 'string', describeSecret),
  }),
  result: object<Result>({
    ...readPair,
    clientId: required(aText),
    keyId: required(aText),
    answer: required(rule('JSON', isJsonObject, describeSecret)),
    completedAt: required(whole(0)),
    expiresAt: whole(0),
    confirmBy: whole(0),
  }),
})

function isJsonObject(value: unknown): boolean {
  return typeof value === 'string' && parseObject(value) !== undefined
}

function writeState(state: State): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, ...state }, undefined, 2)}\n`
}

/**
 * Reads a state.
 *
 * @throws ProvisionError `state_unusable` if it is damaged, from another tool, from a newer version, or for another
 *   issuer or action
 */
function parseState(saved: string, expected: Pick<State, 'issuer' | 'action'>, storage: StateStorage): State {
  const value = parseJson(saved)
  if (value === undefined) throw unusable('it is damaged: expected JSON', storage)
  if (!isObject(value) || value['format'] !== FORMAT)
    throw unusable(`another program wrote it: it has no format ${FORMAT}`, storage)
  if (Number(value['version']) > VERSION)
    throw unusable(`a newer version of this package wrote it (format version ${value['version']})`, storage)
  const faults = newFaults(describeSecret)
  const state = readState(value, '', faults)
  const [fault] = faults.list
  if (fault !== undefined) throw unusable(`it is damaged: ${fault}`, storage)
  for (const name of ['issuer', 'action'] as const)
    if (state[name] !== expected[name])
      throw unusable(`it is for the ${name} ${state[name]}, and you asked for ${expected[name]}`, storage)
  const { issuer, action, result, attempt } = state
  return { issuer, action, ...(result && { result }), ...(attempt && { attempt }) }
}

/** @param why a clause about the state */
export function unusable(why: string, storage: Pick<StateStorage, 'location'> = {}): ProvisionError {
  const name = ['The saved state', storage.location].filter(Boolean).join(' ')
  const remedy = 'Correct this, or delete the state and get a new key.'
  return new ProvisionError('state_unusable', `${name} cannot be used: ${why}. ${remedy}`)
}

/** A state as it was loaded. When the next state is saved, `text` must still be the saved one. */
export interface Loaded {
  readonly text: string | undefined
  readonly state: State | undefined
}

export async function loadState(
  storage: StateStorage,
  expected: Pick<State, 'issuer' | 'action'>,
): Promise<Loaded> {
  let saved: string | undefined
  try {
    saved = await storage.load()
  } catch (cause) {
    if (cause instanceof ProvisionError) throw cause
    throw new ProvisionError('state_unusable', `state.load() failed: ${oneLine(cause)}`, { cause })
  }
  return { text: saved, state: saved === undefined ? undefined : parseState(saved, expected, storage) }
}

/**
 * Saves a state. Returns the saved state, or `undefined` if another process has saved another one in the meantime.
 *
 * @throws ProvisionError `state_not_saved`
 */
export async function saveState(
  storage: StateStorage,
  state: State,
  previous: string | undefined,
): Promise<Loaded | undefined> {
  const saved = writeState(state)
  return (await changed(() => storage.save(saved, previous))) ? { text: saved, state } : undefined
}

/**
 * Checks that a state can be saved, so that a full disk costs no key.
 *
 * @throws ProvisionError `state_not_saved`
 */
export async function requireSavable(storage: StateStorage): Promise<void> {
  await changed(async () => storage.trySave?.())
}

/**
 * Deletes a state. Returns `false` if another process has saved another one in the meantime.
 *
 * @throws ProvisionError `state_not_saved`
 */
export async function clearState(storage: StateStorage, previous: string | undefined): Promise<boolean> {
  return changed(() => storage.clear(previous))
}

async function changed(change: () => unknown): Promise<boolean> {
  try {
    return (await change()) !== false
  } catch (cause) {
    if (cause instanceof ProvisionError) throw cause
    const message = `The state could not be saved: ${oneLine(cause)}. No key is lost: correct this, and try again.`
    throw new ProvisionError('state_not_saved', message, { cause })
  }
}

/** A state in memory, for clients that need none after their end. */
export function memoryState(): StateStorage {
  let saved: string | undefined
  return {
    load: () => saved,
    save(text) {
      saved = text
    },
    clear() {
      saved = undefined
    },
  }
}
