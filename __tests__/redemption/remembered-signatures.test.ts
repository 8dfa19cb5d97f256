import fc from 'fast-check'
import { signingKeyOperations } from '../../lib/operations/signing-keys.js'
import { generateSigningKeys } from '../../lib/options/generated-keys.js'
import { parseOptions } from '../../lib/options/options.js'
import type { Deployment } from '../../lib/ports/deployment.js'
import { revokeKey } from '../../lib/redemption/revocation.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { revokeIssuedBefore } from '../../lib/tokens/issued-before.js'
import {
  issueKey,
  reasonOf,
  reserveKey,
  START,
  verifyBearerKey,
  workingOptions,
} from '../support/deployed.js'

/** Changes of one of three keys, or of the deployment, between two presentations. */
const STEPS = ['present', 'tamper', 'redeem', 'revoke', 'rotate', 'remove', 'wait', 'revoke all'] as const

const steps = fc.array(fc.record({ step: fc.constantFrom(...STEPS), key: fc.nat(2) }), {
  minLength: 5,
  maxLength: 30,
})

/** The same deployment without a memory of signatures. */
function withoutMemory(deployment: Deployment): Deployment {
  const { keyRing } = deployment
  const forgetful = { find: keyRing.find.bind(keyRing), all: () => [] }
  return { ...deployment, keyRing: forgetful as unknown as typeof keyRing }
}

function prepared() {
  const clock = { seconds: START }
  const now = () => clock.seconds * 1000
  const config = parseOptions(
    workingOptions({ now, store: memoryStore({ now }), signingKeys: generateSigningKeys() }),
  )
  return { clock, config, deployment: config.deployment }
}

describe('a guard that remembers verified signatures', () => {
  it('gives the verdict of a guard that remembers nothing, whatever happens between two requests', () =>
    fc.assert(
      fc.asyncProperty(steps, async (given) => {
        const { clock, config, deployment } = prepared()
        const plain = withoutMemory(deployment)
        const operations = signingKeyOperations(config)
        const keys = await Promise.all([0, 1, 2].map(() => issueKey({ deployment })))
        const kids = [deployment.keyRing.active().kid]
        const present = async (token: string) => {
          const verdict = (by: Deployment) => reasonOf(() => verifyBearerKey({ deployment: by }, token))
          const remembering = await verdict(deployment)
          expect(remembering).toBe(await verdict(plain))
        }
        for (const { step, key: index } of given) {
          const issued = keys[index]
          if (issued === undefined) continue
          const { key: token, verified } = issued
          const act: Record<typeof step, () => unknown> = {
            present: () => present(token),
            tamper: () => present(`${token.slice(0, -8)}AAAAAAAA`),
            redeem: async () => {
              const reservation = await reserveKey({ deployment }, verified).catch(() => undefined)
              await reservation?.settle()
            },
            revoke: () => revokeKey(deployment, verified),
            rotate: async () => kids.push((await operations.rotateSigningKey()).kid),
            remove: () => operations.removeSigningKey(kids[0] ?? '').catch(() => undefined),
            wait: () => {
              clock.seconds += 100
            },
            'revoke all': () => revokeIssuedBefore(deployment, { issuedBefore: clock.seconds }),
          }
          await act[step]()
        }
        for (const { key } of keys) await present(key)
      }),
      { numRuns: 60 },
    ))
})
