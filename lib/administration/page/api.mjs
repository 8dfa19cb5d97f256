/** @typedef {'view' | 'operate'} Role */
/** @typedef {'info' | 'notice' | 'warning' | 'high'} Severity */
/** @typedef {'issued' | 'redeeming' | 'redeemed' | 'revoked'} KeyState */
/** @typedef {Record<KeyState | 'expired', number>} KeyCounts */
/** @typedef {{ at: number[] } & Record<keyof KeyCounts, number[]>} History */
/** @typedef {{ status: 'ready' | 'draining' | 'unavailable', store: { isReachable: boolean, milliseconds?: number }, droppedEvents: number }} Health */
/** @typedef {{ keys: KeyCounts, findings: { open: number, bySeverity: Partial<Record<Severity, number>> }, locks: number, history: History }} Numbers */
/** @typedef {{ now: number, role: Role, actor?: string, issuer: string, startedAt: number, process: { pid: number, host: string }, health: Health } & Numbers} Overview */
/** @typedef {'throttle' | 'stepUp' | 'lock'} LockKind */
/** @typedef {{ clientId: string, kind: LockKind, reason: string, author: string, lockedAt: number, until: number }} Lock */
/** @typedef {{ clientId: string, keyId: string, subject: string, scope: string[], audience: string, issuedAt: number, expiresAt: number, state: KeyState, isExpired: boolean, changedAt: number, reservedAt?: number, issuedTo?: string, binding: 'none' | 'dpop' | 'certificate', familyRevoked: boolean, familyClientId?: string, networks?: string[], lock?: Lock }} Key */
/** @typedef {{ id: string, rule: string, severity: Severity, evidence: 'bound' | 'unbound', subject: string, count: number, firstAt: number, lastAt: number, samples: string[], actions: string[], title?: string, falsePositives?: string, runbook?: string[] }} Finding */
/** @typedef {{ clientId: string, lastUsedAt?: number, network?: string, locks: Lock[] }} Client */
/** @typedef {{ bindingId: string, kind: 'jwk' | 'certificate', boundAt: number, expiresAt?: number, lastUsedAt?: number, network?: string }} Binding */
/** @typedef {Record<string, unknown> & { type: string, code: string, at: number, id: string, severity: Severity, clientId?: string, keyId?: string, address?: string, detail?: string }} LoggedEvent */
/**
 * @template T
 * @typedef {{ items: T[], next?: string }} Page
 */

const LONGEST_MILLISECONDS = 15_000

/** The server has not done what the page wants. The message is for the reader. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} [status]
   */
  constructor(message, status) {
    super(message)
    this.status = status
  }
}

/** The reader may no longer see anything: the page is empty already. */
export class SessionEnded extends Error {}

/** Asks the API, whose URLs are relative to the page. */
export class Api {
  /** @type {() => void} */
  #onEnd
  #ended = new AbortController()

  /** @param {() => void} onEnd called once, when the server no longer knows the reader */
  constructor(onEnd) {
    this.#onEnd = onEnd
  }

  /** Aborts every request, and refuses each later one. */
  end() {
    if (this.#ended.signal.aborted) return
    this.#ended.abort()
    this.#onEnd()
  }

  get isEnded() {
    return this.#ended.signal.aborted
  }

  /**
   * @template T
   * @param {string} path
   * @param {Record<string, string | number | undefined>} [query]
   * @returns {Promise<T>}
   */
  async get(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
    const response = await this.send(search === '' ? path : `${path}?${search}`, {
      signal: AbortSignal.timeout(LONGEST_MILLISECONDS),
    })
    if (response.status === 403) throw this.#endNow()
    return readJson(response)
  }

  /**
   * @param {string} path
   * @param {Record<string, unknown>} body
   * @returns {Promise<{ outcome: string }>}
   */
  async post(path, body) {
    const response = await this.send(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(LONGEST_MILLISECONDS),
    })
    return readJson(response)
  }

  /**
   * Sends a request. A redirect is that of a host that wants a login.
   *
   * @param {string} path
   * @param {RequestInit & { signal?: AbortSignal }} options
   */
  async send(path, options) {
    if (this.isEnded) throw new SessionEnded()
    const signals = [this.#ended.signal, options.signal].filter((signal) => signal !== undefined)
    const response = await fetch(`api/${path}`, {
      ...options,
      redirect: 'manual',
      cache: 'no-store',
      signal: AbortSignal.any(signals),
    }).catch((error) => {
      if (this.isEnded) throw new SessionEnded()
      throw new ApiError(wordsOf(error))
    })
    if (response.status === 401 || response.type === 'opaqueredirect') throw this.#endNow()
    return response
  }

  #endNow() {
    this.end()
    return new SessionEnded()
  }
}

/** @param {unknown} error */
function wordsOf(error) {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'The server does not answer.'
  return 'The server cannot be reached. Check your connection.'
}

/**
 * @template T
 * @param {Response} response
 * @returns {Promise<T>}
 */
async function readJson(response) {
  const answer = await response.json().catch(() => undefined)
  if (response.ok && answer !== undefined) return answer
  throw new ApiError(problemOf(response, answer), response.status)
}

/**
 * @param {Response} response
 * @param {unknown} answer a problem (RFC 9457), if the library has answered
 */
function problemOf({ status }, answer) {
  const detail =
    typeof answer === 'object' && answer !== null && 'detail' in answer ? answer.detail : undefined
  if (typeof detail === 'string' && detail !== '') return detail
  if (status === 429) return 'The server gets too many requests. Wait a moment.'
  if (status === 404) return 'The server does not know this.'
  if (status >= 500) return 'The server cannot answer now.'
  return `The server has refused this (status ${status}).`
}
