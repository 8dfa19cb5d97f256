import { refusalFrom, unlessRefused } from '../base/caught-refusal.js'
import type { ProvisioningError, Reason } from '../base/errors.js'
import { REMEDIES } from '../base/remedies.js'
import type { PresentedRequest } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import { loadKey } from '../jose/jwt.js'
import { callStore, type Deployment } from '../ports/deployment.js'
import { isLocked } from '../ports/lock.js'
import type { KeyEntry } from '../ports/store.js'
import {
  type OpenProof,
  openProof,
  requireFresh,
  requireMethod,
  requireNonce,
  requireTokenHash,
  requireUrl,
} from '../possession/dpop.js'
import { confirm } from '../possession/possession.js'
import { audienceRefusal, environmentRefusal, timesRefusal, verifyGenuine } from '../tokens/issued-token.js'
import { missingScope, type Presentation } from '../tokens/presentation.js'
import { isAsRecorded, type KeyClaims, PROVISIONING_KEY, verifiedKey } from '../tokens/provisioning-key.js'
import { keyRefusal, STATE_REFUSALS, stateRefusal } from './key-state.js'
import { requireNetwork } from './verification.js'

/** Every check of a key, in the order of the answer. */
const CHECKS = [
  'key',
  'audience',
  'environment',
  'times',
  'proof',
  'proof_method',
  'proof_url',
  'proof_time',
  'proof_token_hash',
  'proof_nonce',
  'proof_unused',
  'possession',
  'network',
  'record',
  'state',
  'lock',
  'scope',
] as const

type CheckName = (typeof CHECKS)[number]

/** The outcome of one check. */
interface Check {
  readonly check: CheckName
  readonly outcome: 'passed' | 'failed' | 'not_run'
  /** The private reason, which only the owner of the key gets. */
  readonly reason?: Reason
  /** What was expected, and what the server has found. */
  readonly detail?: string
  readonly remedy?: string
}

export interface PreflightAnswer {
  readonly passed: boolean
  readonly checks: readonly Check[]
}

/**
 * Runs every check of a planned request, and reports all faults together. It uses and reserves nothing: no key, no proof, and
 * no replay. A client gets the details of its own keys. Every other text gets the same answer.
 */
export async function preflight(
  deployment: Deployment,
  { clientId, source }: Pick<AuthenticatedClient, 'clientId' | 'source'>,
  presentation: Presentation,
): Promise<PreflightAnswer> {
  const report = new Report()
  const { token } = presentation.credential
  const loading = loadKey(deployment.keyRing, token)
  if (loading !== undefined) await loading
  const claims = unlessRefused(() => verifyGenuine(deployment, PROVISIONING_KEY, token))
  // The store is asked in any case, so that the time of the answer does not show whose key this is.
  const isOwn = claims?.client_id === clientId
  const entry = await callStore(() => deployment.store.find({ clientId, jti: isOwn ? claims.jti : NO_KEY }))
  if (!isOwn) {
    report.note({ check: 'key', outcome: 'failed', ...NOT_OWN })
    return report.answer()
  }
  report.refuse('key', undefined)
  checkTerms(deployment, presentation, claims, report)
  checkPossession(deployment, presentation, claims, report)
  if (checkRecord(claims, entry, report) === 'forged') {
    const { jti: keyId, sub: subject } = claims
    deployment.emit('key.forged', { keyId, clientId, subject }, source)
  }
  return report.answer()
}

const NOT_OWN = {
  detail: 'The token is no provisioning key of this client.',
  remedy: 'Send the whole key, and authenticate as the client that has asked for it.',
}

/** No key has this id. */
const NO_KEY = '0'.repeat(27)

function checkTerms(
  deployment: Deployment,
  { expected, presented }: Presentation,
  claims: KeyClaims,
  report: Report,
): void {
  const key = verifiedKey(claims)
  report.refuse('audience', audienceRefusal(expected.audiences, PROVISIONING_KEY, claims))
  report.refuse('environment', environmentRefusal(deployment, PROVISIONING_KEY, claims))
  report.refuse('times', timesRefusal(deployment, PROVISIONING_KEY, claims))
  report.run('network', () => requireNetwork(claims, key, presented.address))
  const missing = missingScope(key.scope, expected.scope)
  const message = `The key lacks the scope ${missing}; it has ${key.scope.join(' ')}.`
  report.refuse('scope', missing === undefined ? undefined : keyRefusal(key, 'scope_insufficient', message))
}

/** Checks the proof and each of its claims. An unused proof stays unused. */
function checkPossession(
  deployment: Deployment,
  { credential: { token, scheme }, presented, expected: { target } }: Presentation,
  claims: KeyClaims,
  report: Report,
): void {
  const proof = readOpenProof(deployment, presented, report)
  if (proof !== undefined) {
    report.run('proof_method', () => requireMethod(proof.claims, target))
    report.run('proof_url', () => requireUrl(proof.claims, target))
    report.run('proof_time', () => requireFresh(deployment, proof.claims))
    if (scheme !== 'body' || proof.claims.ath !== undefined)
      report.run('proof_token_hash', () => requireTokenHash(proof.claims, token))
    report.run('proof_nonce', () => requireNonce(deployment, proof.claims))
  }
  const possession = {
    scheme,
    proof: proof && { ...proof, spend: async () => undefined },
    certificate: presented.certificate?.thumbprint,
  }
  report.run('possession', () => confirm(claims.cnf, possession, PROVISIONING_KEY.factsOf(claims)))
}

function readOpenProof(
  deployment: Deployment,
  presented: PresentedRequest,
  report: Report,
): OpenProof | undefined {
  if (presented.dpop.length === 0) return undefined
  let proof: OpenProof | undefined
  report.run('proof', () => {
    proof = openProof(deployment, presented)
  })
  return proof
}

function checkRecord(claims: KeyClaims, entry: KeyEntry | undefined, report: Report): 'forged' | undefined {
  const key = verifiedKey(claims)
  if (entry === undefined) {
    report.refuse('record', stateRefusal('key_unknown', key))
    return undefined
  }
  const isForged = !isAsRecorded(claims, entry)
  report.refuse('record', isForged ? stateRefusal('key_forged', key) : undefined)
  const reason = STATE_REFUSALS[entry.state]
  report.refuse('state', reason && stateRefusal(reason, key))
  report.refuse('lock', isLocked(entry) ? stateRefusal('client_locked', key) : undefined)
  return isForged ? 'forged' : undefined
}

/** Collects the outcome of each check. */
class Report {
  readonly #checks = new Map<CheckName, Check>()

  /** Runs a check that throws its refusal. */
  run(check: CheckName, act: () => unknown): void {
    this.refuse(check, refusalFrom(act))
  }

  refuse(check: CheckName, refusal: ProvisioningError | undefined): void {
    if (refusal === undefined) {
      this.note({ check, outcome: 'passed' })
      return
    }
    const { reason, message: detail } = refusal
    this.note({ check, outcome: 'failed', reason, detail, remedy: REMEDIES[reason] })
  }

  note(check: Check): void {
    this.#checks.set(check.check, check)
  }

  answer(): PreflightAnswer {
    const checks = CHECKS.map((check) => this.#checks.get(check) ?? this.#notRun(check))
    return { passed: checks.every(({ outcome }) => outcome !== 'failed'), checks }
  }

  #notRun(check: CheckName): Check {
    const key = this.#checks.get('key')
    const detail = key?.outcome === 'failed' ? 'It needs a key of this client.' : WHY_NOT_RUN[check]
    return { check, outcome: 'not_run', ...(detail !== undefined && { detail }) }
  }
}

const WITHOUT_PROOF = 'It needs a DPoP proof with a valid signature.'

const WHY_NOT_RUN: Partial<Record<CheckName, string>> = {
  proof: 'The planned request has no DPoP proof.',
  proof_method: WITHOUT_PROOF,
  proof_url: WITHOUT_PROOF,
  proof_time: WITHOUT_PROOF,
  proof_token_hash:
    'It needs a DPoP proof with a valid signature, and an Authorization header or the claim ath.',
  proof_nonce: WITHOUT_PROOF,
  proof_unused: 'A preflight does not use a proof, so it cannot know whether the proof was used before.',
  state: 'It needs the record of the key.',
  lock: 'It needs the record of the key.',
}
