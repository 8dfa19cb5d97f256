import express, { type Express } from 'express'
import { REASONS, type Reason } from '../../../lib/base/errors.js'
import type { ProvisioningKeys } from '../../../lib/index.js'
import { ACCESS_CASES } from '../../support/refusals/access-cases.js'
import { ASSERTION_CASES } from '../../support/refusals/assertion-cases.js'
import { BINDING_CASES } from '../../support/refusals/binding-cases.js'
import { CERTIFICATE_CASES } from '../../support/refusals/certificate-cases.js'
import {
  ACTION_CASES,
  CAPACITY_CASES,
  CLIENT_CASES,
  LOCK_CASES,
  POLICY_CASES,
} from '../../support/refusals/client-cases.js'
import { DPOP_CASES } from '../../support/refusals/dpop-cases.js'
import { KEY_CASES } from '../../support/refusals/key-cases.js'
import { REGISTRATION_CASES } from '../../support/refusals/registration-cases.js'
import { HEADER_AND_BODY_CASES, RAW_CASES } from '../../support/refusals/request-cases.js'
import { RETRY_CASES } from '../../support/refusals/retry-cases.js'
import { ROTATION_CASES } from '../../support/refusals/rotation-cases.js'
import { SPLIT_CASES } from '../../support/refusals/split-cases.js'
import { AUDIENCE, mountAll, startServer } from '../../support/server.js'

const CASES = [
  ...REGISTRATION_CASES,
  ...HEADER_AND_BODY_CASES,
  ...RAW_CASES,
  ...KEY_CASES,
  ...ACCESS_CASES,
  ...CLIENT_CASES,
  ...ASSERTION_CASES,
  ...CERTIFICATE_CASES,
  ...DPOP_CASES,
  ...POLICY_CASES,
  ...ACTION_CASES,
  ...LOCK_CASES,
  ...BINDING_CASES,
  ...CAPACITY_CASES,
  ...ROTATION_CASES,
  ...RETRY_CASES,
  ...SPLIT_CASES,
]

/** The usual routes, one behind a body parser, and one that waits until another request is refused. */
function mountMost(app: Express, keys: ProvisioningKeys): void {
  const redeem = () => keys.redeemProvisioningKey({ scope: 'devices:create', audience: AUDIENCE })
  app.post(
    '/parsed',
    express.urlencoded({ extended: false }),
    redeem(),
    (_req, res) => void res.sendStatus(201),
  )
  app.post('/slow', redeem(), (_req, res) => {
    const done = keys.on('request.refused', () => {
      done()
      res.sendStatus(201)
    })
  })
  mountAll(app, keys)
}

describe('refusals', () => {
  test.each(CASES)(
    'refuses $title: $status $error',
    async ({ act, options, status, error, reason, headers, description, mount = mountMost }) => {
      const server = await startServer({ ...(options && { options }), mount })
      try {
        const answered = await act(server)
        expect({ status: answered.status, error: answered.body.error }).toEqual({ status, error })
        for (const [name, pattern] of Object.entries(headers ?? {}))
          expect(answered.headers[name]).toMatch(pattern)
        if (description !== undefined) expect(answered.body.error_description).toMatch(description)
        expect(server.events).toContainEqual(
          expect.objectContaining({ type: 'request.refused', reason, status }),
        )
      } finally {
        await server.close()
      }
    },
  )

  test('every reason has a request that causes it', () => {
    const caused = new Set<Reason>(CASES.map(({ reason }) => reason))
    expect(Object.keys(REASONS).filter((reason) => !caused.has(reason as Reason))).toEqual([])
  })
})
