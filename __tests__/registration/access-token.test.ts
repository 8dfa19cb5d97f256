import fc from 'fast-check'
import { registrationTokensIn, scrub } from '../../lib/base/secret.js'
import {
  clientIdIn,
  findToken,
  issueRegistrationToken,
  isUnexpired,
  renewTokens,
} from '../../lib/registration/access-token.js'
import { deployed, START } from '../support/deployed.js'

const { deployment } = deployed()

describe('a registration access token', () => {
  it('names its client, whatever its id, and is found where it must not be', () => {
    const ids = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 1,
      maxLength: 255,
    })
    fc.assert(
      fc.property(ids, (clientId) => {
        const { text } = issueRegistrationToken(deployment, clientId)
        expect(clientIdIn(text)).toBe(clientId)
        expect(text.split('.')).toHaveLength(2)
        expect(registrationTokensIn(`Bearer ${text}, and more`)).toEqual([text])
        expect(scrub(`it said: ${text}.`)).not.toContain(text.slice(-20))
      }),
      { numRuns: 50 },
    )
  })

  it('is kept hashed, for 30 days', () => {
    const { text, stored } = issueRegistrationToken(deployment, 'a')
    expect(JSON.stringify(stored)).not.toContain(text.slice(2))
    expect(stored).toEqual({ hash: expect.stringMatching(/^hmac-sha256:/), expiresAt: START + 2_592_000 })
    expect([isUnexpired(stored, stored.expiresAt - 1), isUnexpired(stored, stored.expiresAt)]).toEqual([
      true,
      false,
    ])
    expect(isUnexpired({ ...stored, expiresAt: Number.NaN }, START)).toBe(false)
  })

  const random = 'A'.repeat(43)
  it.each([
    '',
    '.',
    `.${random}`,
    `YQ.${random}A`,
    `YQ.${random.slice(1)}`,
    `YR.${random}`,
    `YQ==.${random}`,
    `YQ.a.${random}`,
    `AA.${random}`,
    `${Buffer.from('é').toString('base64url')}.${random}`,
    `${'YWFh'.repeat(86)}.${random}`,
    `Y.${random}`,
  ])('is not this text: case %#', (text) => {
    expect(clientIdIn(text)).toBeUndefined()
  })

  it('is known among those of its client, and among no others', () => {
    const [one, two, three] = [1, 2, 3].map(() => issueRegistrationToken(deployment, 'a'))
    if (!(one && two && three)) throw new Error('not made')
    const registration = { issuedAt: 1, scopes: [], tokens: [one.stored, two.stored] }
    expect(findToken(registration, one.text)).toBe(one.stored)
    expect(findToken(registration, two.text)).toBe(two.stored)
    expect(findToken(registration, three.text)).toBeUndefined()
    expect(findToken(undefined, one.text)).toBeUndefined()
    expect(findToken({ ...registration, tokens: [] }, one.text)).toBeUndefined()
  })

  it('that was replaced gets no more time, not even where tokens are not replaced any more', () => {
    const [newest, former] = [
      issueRegistrationToken(deployment, 'a'),
      issueRegistrationToken(deployment, 'a'),
    ]
    const tokens = [
      { ...newest.stored, expiresAt: START + 99 },
      { ...former.stored, expiresAt: START + 9 },
    ]
    const presented = { text: former.text, stored: tokens[1] as typeof newest.stored }
    expect(renewTokens(deployment, { clientId: 'a', tokens, presented })).toEqual({
      text: former.text,
      tokens,
    })
  })

  it('is one of three at most, and the oldest ends first', () => {
    const rotating = deployed({ registration: { rotateAccessToken: true } }).deployment
    let tokens = [issueRegistrationToken(rotating, 'a').stored]
    const first = tokens[0]
    for (let round = 0; round < 5; round++) {
      const presented = { text: '', stored: tokens[0] as (typeof tokens)[0] }
      tokens = [...renewTokens(rotating, { clientId: 'a', tokens, presented }).tokens]
    }
    expect(tokens).toHaveLength(3)
    expect(tokens.map(({ hash }) => hash)).not.toContain(first?.hash)
    expect(tokens.map(({ expiresAt }) => expiresAt - START)).toEqual([2_592_000, 60, 60])
  })
})
