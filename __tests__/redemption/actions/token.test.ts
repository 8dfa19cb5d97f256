import { decodeJwt } from 'jose'
import { JWT_TOKEN_TYPE } from '../../../lib/base/oauth-names.js'
import { TOKEN_SCOPE } from '../../../lib/clients/scopes.js'
import type { ClientOptions } from '../../../lib/options/client.js'
import { exchangeKey, readSubjectToken } from '../../../lib/redemption/actions/token.js'
import { ACCESS_TOKEN as ACCESS_TOKEN_KIND } from '../../../lib/tokens/access-token.js'
import { verifyGenuine } from '../../../lib/tokens/issued-token.js'
import {
  AUDIENCE,
  deployed,
  issueKey,
  OTHER_AUDIENCE,
  parameters,
  reasonOf,
  refusalOf,
  SECRET,
  START,
  storeBut,
  verifyBearerKey,
} from '../../support/deployed.js'

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

describe('readSubjectToken', () => {
  const form = { subject_token: 'a.b.c', subject_token_type: JWT_TOKEN_TYPE }
  it.each([{}, { requested_token_type: ACCESS_TOKEN }, { requested_token_type: JWT_TOKEN_TYPE }])(
    'reads the subject token of an exchange with more parameters: case %#',
    (more) => {
      expect(readSubjectToken(parameters({ ...form, ...more }))).toBe('a.b.c')
    },
  )

  it.each([
    ['no subject_token', { subject_token_type: JWT_TOKEN_TYPE }, 'parameter_missing'],
    ['no subject_token_type', { subject_token: 'a.b.c' }, 'token_type_unsupported'],
    ['another subject_token_type', { ...form, subject_token_type: ACCESS_TOKEN }, 'token_type_unsupported'],
    ['an actor', { ...form, actor_token: 'd.e.f' }, 'token_type_unsupported'],
    ['the type of an actor', { ...form, actor_token_type: JWT_TOKEN_TYPE }, 'token_type_unsupported'],
    ['another requested_token_type', { ...form, requested_token_type: 'urn:x' }, 'token_type_unsupported'],
  ])('refuses an exchange with %s (RFC 8693 2.1)', async (_, given, reason) => {
    const refusal = await refusalOf(() => readSubjectToken(parameters(given)))
    expect(refusal).toMatchObject({ reason, code: 'invalid_request', disclosed: true })
  })
})

describe('exchange', () => {
  async function withKey(overrides = {}, asked: Record<string, string> = {}) {
    const given = deployed(overrides)
    const issued = await issueKey(given, asked)
    const ask = async (form: Record<string, string> = {}) =>
      exchangeKey(given.deployment, await verifyBearerKey(given, issued.key, TOKEN_SCOPE), {
        parameters: parameters(form),
        source: { address: '192.0.2.1' },
      })
    const entry = () => given.deployment.store.find(issued.record)
    return { ...given, ...issued, ask, entry }
  }

  it('redeems the key for an access token with its scope and audience (RFC 8693 2.2.1)', async () => {
    const { ask, entry, deployment, events, record } = await withKey({}, { requested_subject: 'device:7' })
    const answer = await ask()
    expect(answer).toEqual({
      access_token: answer.access_token,
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'devices:read',
    })
    const claims = verifyGenuine(deployment, ACCESS_TOKEN_KIND, answer.access_token)
    expect(claims).toMatchObject({ aud: AUDIENCE, sub: 'device:7', exp: START + 600, key_id: record.jti })
    expect(await entry()).toMatchObject({ state: 'redeemed', retainUntil: START + 605 })
    const { jti: keyId, clientId, subject } = record
    const scope = ['devices:read']
    expect(events.slice(1)).toMatchObject([
      { type: 'key.redeemed', keyId, clientId, subject, action: 'token' },
      { type: 'token.issued', keyId, clientId, subject, tokenId: claims.jti, scope },
    ])
    expect(JSON.stringify(events)).not.toContain(answer.access_token)
  })

  it('grants a request within key and policy', async () => {
    const { ask } = await withKey()
    const form = {
      scope: 'devices:read',
      resource: AUDIENCE,
      audience: AUDIENCE,
      requested_token_type: JWT_TOKEN_TYPE,
    }
    const answer = await ask(form)
    expect(answer).toMatchObject({ issued_token_type: JWT_TOKEN_TYPE, scope: 'devices:read' })
    expect(decodeJwt(answer.access_token)).toMatchObject({ aud: AUDIENCE, scope: 'devices:read' })
  })

  it.each([
    ['a scope beyond the key', { scope: 'provision:bind' }, 'scope_not_permitted', 'invalid_scope'],
    ['a scope that is none', { scope: ' ' }, 'scope_malformed', 'invalid_scope'],
    ['an audience beyond policy', { resource: OTHER_AUDIENCE }, 'audience_not_permitted', 'invalid_target'],
    ['an audience that is none', { resource: 'evil' }, 'audience_malformed', 'invalid_target'],
    ['another audience', { audience: OTHER_AUDIENCE }, 'audience_not_permitted', 'invalid_target'],
    [
      'a resource and another audience',
      { resource: AUDIENCE, audience: OTHER_AUDIENCE },
      'audience_not_permitted',
      'invalid_target',
    ],
  ])('refuses %s and spends no key on it', async (_, form, reason, code) => {
    const { ask, entry } = await withKey()
    expect(await refusalOf(() => ask(form))).toMatchObject({ reason, code })
    expect(await entry()).toMatchObject({ state: 'issued' })
  })

  it('refuses a key without the scope for it, and spends it not', async () => {
    const { ask, entry } = await withKey({}, { scope: 'devices:read' })
    expect(await refusalOf(ask)).toMatchObject({
      reason: 'scope_insufficient',
      facts: { requiredScope: 'provision:token' },
    })
    expect(await entry()).toMatchObject({ state: 'issued' })
  })

  it('goes by the policy of the client as it is now, not as it was at the issue', async () => {
    const policy = {
      scopes: ['provision:token', 'devices:read'],
      defaultScopes: ['provision:token', 'devices:read'],
    }
    const kept: { client: ClientOptions | undefined } = {
      client: { clientId: 'ci-runner', clientSecret: SECRET, policy },
    }
    const { ask, entry } = await withKey({ clients: () => kept.client })
    kept.client = { clientId: 'ci-runner', clientSecret: SECRET, policy: { scopes: ['provision:token'] } }
    expect(await reasonOf(() => ask({ scope: 'devices:read' }))).toBe('scope_not_permitted')
    kept.client = undefined
    expect(await refusalOf(ask)).toMatchObject({ reason: 'client_unknown', code: 'invalid_token' })
    expect(await entry()).toMatchObject({ state: 'issued' })
  })

  it('gives no scope and no life beyond those of access tokens', async () => {
    const policy = {
      scopes: ['provision:token', 'devices:read'],
      accessTokenScopes: ['devices:read'],
      accessTokenLifetimeSeconds: 60,
    }
    const clients = [
      {
        clientId: 'ci-runner',
        clientSecret: SECRET,
        policy: { defaultScopes: ['provision:token', 'devices:read'] },
      },
    ]
    const { ask } = await withKey({ policy, clients })
    expect(await reasonOf(() => ask({ scope: 'provision:token' }))).toBe('scope_not_permitted')
    expect(await ask()).toMatchObject({ scope: 'devices:read', expires_in: 60 })
    const none = await withKey({ policy, clients }, { scope: 'provision:token' })
    expect(await refusalOf(none.ask)).toMatchObject({ reason: 'scope_not_permitted' })
  })

  const EVERYTHING = 'provision:token provision:bind devices:read'

  it.each([undefined, 'devices:read'])(
    'puts no provisioning scope into the token: scope=%s',
    async (scope) => {
      const { ask, deployment } = await withKey({}, { scope: EVERYTHING })
      const answer = await ask(scope === undefined ? {} : { scope })
      expect(answer.scope).toBe('devices:read')
      expect(verifyGenuine(deployment, ACCESS_TOKEN_KIND, answer.access_token).scope).toBe('devices:read')
    },
  )

  it.each(['provision:token', 'provision:bind', 'devices:read provision:token'])(
    'refuses scope=%s, and the key stays unredeemed',
    async (scope) => {
      const { ask, entry } = await withKey({}, { scope: EVERYTHING })
      expect(await refusalOf(() => ask({ scope }))).toMatchObject({
        code: 'invalid_scope',
        reason: 'scope_not_permitted',
        message: 'scope: expected only devices:read.',
      })
      expect(await entry()).toMatchObject({ state: 'issued' })
    },
  )

  const ONLY_PROVISIONING = 'The key has no scope for an access token (provision:* is for keys only).'
  it.each([
    [
      { scopes: ['provision:token', 'provision:bind', 'devices:read', 'devices:write'] },
      'Ask for a key that also has one of devices:read, devices:write.',
    ],
    [
      {
        scopes: ['provision:token', 'provision:bind', 'devices:read', 'devices:write'],
        accessTokenScopes: ['devices:write', 'admin'],
      },
      'Ask for a key that also has one of devices:write.',
    ],
    [
      { scopes: ['provision:token', 'provision:bind'] },
      'The policy of the client allows none: see policy.scopes and policy.accessTokenScopes.',
    ],
  ])('refuses a key with only provisioning scopes, and names the remedy: %j', async (policy, remedy) => {
    const clients = [{ clientId: 'ci-runner', clientSecret: SECRET }]
    const given = await withKey({ policy, clients }, { scope: 'provision:token provision:bind' })
    expect(await refusalOf(given.ask)).toMatchObject({
      code: 'invalid_scope',
      reason: 'scope_not_permitted',
      message: `${ONLY_PROVISIONING} ${remedy}`,
    })
    expect(await given.entry()).toMatchObject({ state: 'issued' })
  })

  it('gives one of many concurrent requests a token', async () => {
    const { ask } = await withKey()
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => ask()))
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('gives no token while the redemption cannot be settled', async () => {
    const { ask, events } = await withKey({
      store: storeBut({ settle: () => Promise.reject(new Error('down')) }),
    })
    expect(await reasonOf(ask)).toBe('store_unavailable')
    expect(events.map(({ type }) => type)).toEqual(['key.issued'])
  })
})
