import { mintAccessToken } from '../../lib/tokens/access-token.js'
import { readTokenReference } from '../../lib/tokens/token-reference.js'
import { AUDIENCE, deployed, issueKey, OTHER_AUDIENCE, parameters, START } from '../support/deployed.js'

const CALLER = { clientId: 'ci-runner', audiences: [AUDIENCE] }

describe('readTokenReference', () => {
  async function minted() {
    const given = deployed()
    const issued = await issueKey(given, { requested_subject: 'device:7' })
    const terms = {
      audience: AUDIENCE,
      scope: ['devices:read'],
      lifetimeSeconds: 60,
      confirmation: undefined,
    }
    const { token, claims } = mintAccessToken(given.deployment, issued.verified, terms)
    const ref = { clientId: 'ci-runner', jti: issued.record.jti }
    const read = (text: string, clientId: string, audiences: readonly string[] = []) =>
      readTokenReference(given.deployment, parameters({ token: text }), { clientId, audiences })
    return { ...given, ...issued, token, claims, ref, read }
  }

  it('refers to a key by its text, for the client it was issued to and not for its subject', async () => {
    const { read, key, ref } = await minted()
    expect(read(key, 'ci-runner')).toMatchObject({ kind: 'key', ref, claims: { jti: ref.jti } })
    expect([read(key, 'device:7'), read(key, 'bystander')]).toEqual([undefined, undefined])
  })

  it('refers to a key by its text when it has expired, so that it can still be revoked', async () => {
    const { read, key, clock } = await minted()
    clock.seconds = START + 10_000
    expect(read(key, 'ci-runner')).toMatchObject({ kind: 'key' })
  })

  it.each(['correct-horse-battery-staple', 'short', '\u{1f511}'.repeat(27), ''])(
    'refers to nothing by a text that has not the form of a jti: %s',
    async (text) => {
      const { read } = await minted()
      expect(read(text, 'ci-runner')).toBeUndefined()
    },
  )

  it('reads a text in the form of a jti as a key of the caller', async () => {
    const { read, ref } = await minted()
    expect(read(ref.jti, 'ci-runner')).toEqual({ kind: 'key', ref })
    expect(read(ref.jti, 'bystander')).toEqual({ kind: 'key', ref: { clientId: 'bystander', jti: ref.jti } })
  })

  it('refers to an access token for its own client and for the client of its key', async () => {
    const { read, token, claims, ref } = await minted()
    for (const caller of ['device:7', 'ci-runner']) {
      expect(read(token, caller)).toEqual({ kind: 'access_token', ref, claims })
    }
    expect(read(token, 'bystander')).toBeUndefined()
  })

  it('refers to whatever is for an audience that the caller may introspect, by its text', async () => {
    const { read, key, token, ref } = await minted()
    expect(read(key, 'api', [AUDIENCE])).toMatchObject({ kind: 'key', ref, claims: { jti: ref.jti } })
    expect(read(token, 'api', [OTHER_AUDIENCE, AUDIENCE])).toMatchObject({ kind: 'access_token', ref })
  })

  it('refers to nothing that is for another audience, nor to a key of others by its jti', async () => {
    const { read, key, token, ref } = await minted()
    expect([read(key, 'api', [OTHER_AUDIENCE]), read(token, 'api', [OTHER_AUDIENCE])]).toEqual([
      undefined,
      undefined,
    ])
    expect(read(ref.jti, 'api', [AUDIENCE])).toEqual({ kind: 'key', ref: { clientId: 'api', jti: ref.jti } })
  })

  it.each(['.', 'a.b', 'a.b.c', '...'])('refers to nothing by %j', async (text) => {
    const { read } = await minted()
    expect(read(text, 'ci-runner')).toBeUndefined()
  })

  it('refers to nothing by what another deployment signed', async () => {
    const { key, token } = await minted()
    const { deployment } = deployed({ issuer: 'https://other.example.com' })
    expect(
      [key, token].map((text) => readTokenReference(deployment, parameters({ token: text }), CALLER)),
    ).toEqual([undefined, undefined])
  })
})
