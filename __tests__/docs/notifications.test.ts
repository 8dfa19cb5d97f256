import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import supertest from 'supertest'
import type { ProvisioningEvent } from '../../lib/index.js'
import { caepClaims, MAPPED_TYPES } from '../../lib/notifications/caep.js'
import * as notifications from '../../lib/notifications/notifications.js'
import type { EventDetails, EventType } from '../../lib/ports/events.js'
import { quickDelivery, replayEvent, startReceiver, until } from '../support/receiver'
import { closeServer, localCertificate } from '../support/server'
import { codeIn, codeUnder, interfaceMembers, tableRows } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/guides/notifications.md'
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'

const key = { keyId: 'the-key', clientId: 'the-client', subject: 'the-subject' }
const family = { clientId: 'the-family', fate: 'revoked' } as const
const binding = { clientId: 'the-client', keyId: 'the-key', bindingId: 'b' }
const [dpop, certificate] = [{ jkt: 'a' }, { 'x5t#S256': 'b' }]

/** Events of each type that is sent: those whose CAEP events differ. */
const SAMPLES: { readonly [T in EventType]?: readonly (EventDetails[T] & { readonly address?: string })[] } =
  {
    'key.revoked': [key, { ...key, address: '198.51.100.7' }],
    'key.exposed': [{ ...key, revoked: true }],
    'key.leaked': [{ ...key, revoked: true }],
    'key.forged': [key],
    'token.forged': [{ ...key, tokenId: 't' }],
    'client.bound': [dpop, certificate].map((confirmation) => ({ ...key, bindingId: 'b', confirmation })),
    'client.unbound': [
      { ...binding, confirmation: dpop, by: 'client' },
      { ...binding, confirmation: certificate, by: 'operator' },
      { ...binding, confirmation: dpop, by: 'replacement' },
      { ...binding, confirmation: dpop, by: 'replay' },
    ],
    'binding.undone': [
      { ...binding, confirmation: dpop },
      { ...binding, confirmation: certificate },
    ],
    'registration.undone': [{ clientId: 'the-client', keyId: 'the-key' }],
    'registration.misused': [{ clientId: 'the-client', tokenRevoked: true }],
    'registration.exposed': [{ clientId: 'the-client', tokenRevoked: true }],
    'registration.leaked': [{ clientId: 'the-client', tokenRevoked: true }],
    'signing_key.added': [{ kid: 'k' }],
    'signing_key.rotated': [{ kid: 'k', retiredKid: 'r' }],
    'signing_key.removed': [{ kid: 'k' }],
    'key.replayed': [
      { ...key, familyRevoked: false, family },
      { ...key, familyRevoked: true },
    ],
    'family.revoked': [{ ...key, familyRevoked: true, family }],
    'token.revoked': [key],
    'token.exposed': [{ ...key, tokenId: 't', revoked: true }],
    'token.leaked': [{ ...key, tokenId: 't', revoked: true }],
    'keys.revoked': [
      { issuedBefore: 1_795_953_600, clientId: 'the-client' },
      { issuedBefore: 1_795_953_600 },
    ],
    'client.deleted': (['client', 'operator', 'replay'] as const).map((by) => ({
      clientId: 'the-client',
      by,
    })),
  }

/** Events without a CAEP event, although their type has one. */
const UNSENT: { readonly [T in EventType]?: EventDetails[T] } = {
  'key.exposed': { ...key, revoked: false },
  'key.leaked': { ...key, revoked: false },
  'token.leaked': { ...key, tokenId: 't', revoked: false },
  'registration.leaked': { clientId: 'the-client', tokenRevoked: false },
  'token.exposed': { ...key, tokenId: 't', revoked: false },
  'registration.misused': { clientId: 'the-client', tokenRevoked: false },
  'registration.exposed': { clientId: 'the-client', tokenRevoked: false },
  'key.replayed': { ...key, familyRevoked: false, family: { clientId: 'the-family', fate: 'flagged' } },
  'family.revoked': { keyId: 'the-key', clientId: 'the-client', familyRevoked: true },
  'token.revoked': { keyId: 'the-key', clientId: 'the-client' },
}

const event = (type: string, details: object) =>
  ({ type, at: new Date(1_795_953_600_000), ...details }) as ProvisioningEvent

/** The cells of the table that samples show. */
function cellsOf(type: EventType) {
  const claims = (SAMPLES[type] ?? []).flatMap((details) => caepClaims(event(type, details)) ?? [])
  const members = claims.flatMap(({ events }) =>
    Object.entries(events as Record<string, Record<string, unknown>>),
  )
  const values = (name: string) => [...new Set(members.map(([, each]) => each[name]))].sort()
  return {
    type,
    caep: [...new Set(members.map(([uri]) => uri.replace(CAEP, '')))],
    credentials: values('credential_type'),
    changes: values('change_type'),
    by: values('initiating_entity'),
  }
}

const SUBJECTS: Readonly<Record<string, string>> = {
  subject: 'the-subject',
  clientId: 'the-client',
  'family.clientId': 'the-family',
}

describe('the table of CAEP events', () => {
  const rows = tableRows(PAGE, 'Push Security Event Tokens')

  it('has every event that is sent, and no other', () => {
    expect(rows.map(([type = '']) => codeIn(type)[0])).toEqual(MAPPED_TYPES)
    expect(Object.keys(SAMPLES)).toEqual(MAPPED_TYPES)
  })

  it.each(MAPPED_TYPES.map((type) => [type] as const))('says what is sent for %s', (type) => {
    const row = rows.find(([name]) => name === `\`${type}\``) ?? []
    const [, caep = '', , credential = '', change = '', by = ''] = row
    const orNone = (codes: readonly string[]) => (codes.length === 0 ? [undefined] : [...codes].sort())
    expect(cellsOf(type)).toEqual({
      type,
      caep: codeIn(caep),
      credentials: orNone(codeIn(credential)),
      changes: orNone(codeIn(change)),
      by: orNone(codeIn(by)),
    })
  })

  it.each(MAPPED_TYPES.map((type) => [type] as const))('names the subject of %s', (type) => {
    const [, , cell = ''] = rows.find(([name]) => name === `\`${type}\``) ?? []
    const [first] = SAMPLES[type] ?? []
    const [name] = codeIn(cell)
    const expected = cell === 'the issuer' ? undefined : SUBJECTS[name ?? '']
    expect(caepClaims(event(type, first ?? {}))?.subject).toBe(expected)
  })

  it('says "always" of exactly the events that are sent whatever they contain', () => {
    const conditional = rows
      .filter(([, , , , , , sent]) => sent !== 'always')
      .map(([type = '']) => codeIn(type)[0])
    const withoutSubject = ['token.revoked']
    expect(Object.keys(UNSENT).sort()).toEqual([...conditional, ...withoutSubject].sort())
    for (const [type, details] of Object.entries(UNSENT))
      expect([type, caepClaims(event(type, details))]).toEqual([type, undefined])
  })

  it('is about events with a reason that is not empty, and a time in seconds', () => {
    for (const type of MAPPED_TYPES)
      for (const details of SAMPLES[type] ?? []) {
        const { events = {} } = caepClaims(event(type, details)) ?? {}
        expect(Object.values(events)).toEqual([
          expect.objectContaining({
            event_timestamp: 1_795_953_600,
            reason_admin: { en: expect.stringMatching(/^[A-Z].{20,}\.$/) },
          }),
        ])
      }
  })
})

describe('the table of options', () => {
  it('has every option, and no other', () => {
    const named = tableRows(PAGE, 'Options').flatMap(([first = '']) => codeIn(first))
    const folder = 'lib/notifications'
    const members = [
      ...interfaceMembers(`${folder}/webhook-options.ts`, 'WebhookOptions'),
      ...interfaceMembers(
        `${folder}/security-event-transmitter-options.ts`,
        'SecurityEventTransmitterOptions',
      ),
      ...interfaceMembers(`${folder}/delivery-options.ts`, 'DeliveryOptions'),
    ]
    expect(named.sort()).toEqual([...new Set(members)].sort())
  })

  it.each([
    'timeoutSeconds',
    'retryDelaySeconds',
    'maxRetryDelaySeconds',
    'giveUpAfterSeconds',
    'maxQueued',
  ] as const)('knows the default of %s', async (name) => {
    const { withDefaults } = await import('../../lib/notifications/delivery-options.js')
    const [, value = ''] = tableRows(PAGE, 'Options').find(([first]) => first === `\`${name}\``) ?? []
    expect(codeIn(value)).toEqual([String(withDefaults({})[name])])
  })
})

describe('the code of the page', () => {
  const closers: (() => unknown)[] = []
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()))
  })

  function observed() {
    const observers: ((one: ProvisioningEvent) => void)[] = []
    return { observers, keys: { on: (_: string, observer: () => void) => observers.push(observer) } }
  }

  it('sends webhooks that the receiver of the page accepts, unless somebody changes them', async () => {
    const secret = `whsec_${randomBytes(32).toString('base64')}`
    process.env['HOOK_SECRET'] = secret
    const printed: unknown[][] = []
    const console = { log: (...line: unknown[]) => printed.push(line), error: fail }
    const { receiver } = runCode<{ receiver: Express }>(codeUnder(PAGE, 'Receive webhooks'), {
      globals: { console },
    })
    const { cert } = localCertificate()
    const server = createServer(localCertificate(), receiver)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    process.env['HOOK_URL'] = `https://localhost:${(server.address() as AddressInfo).port}/hooks/keys`
    const { options: delivery } = quickDelivery({ cert })
    const { observers, keys } = observed()
    const { hook } = runCode<{ hook: notifications.Notifier }>(codeUnder(PAGE, 'Send webhooks'), {
      modules: {
        'express-provisioning-keys/notifications': {
          webhook: (given: notifications.WebhookOptions) => notifications.webhook({ ...delivery, ...given }),
        },
      },
      globals: { keys, console },
    })
    closers.push(hook.close, () => closeServer(server))
    for (const observer of observers) observer(replayEvent())
    await until(() => hook.stats().delivered === 1)
    expect(printed).toEqual([[expect.stringMatching(/^msg_/), expect.stringContaining('"keyId":"key-1"')]])
    await supertest(receiver)
      .post('/hooks/keys')
      .set({ 'webhook-id': 'msg_1', 'webhook-timestamp': '1795953600', 'webhook-signature': 'v1,AAAA' })
      .send({ type: 'key.replayed' })
      .expect(400)
    expect(printed).toHaveLength(1)
  })

  it('waits for the queue when the process ends, but not for ever', async () => {
    type End = (notifier: notifications.Notifier, longestSeconds?: number) => Promise<void>
    const { endOfNotifier } = runCode<{ endOfNotifier: End }>(codeUnder(PAGE, 'Delivery'))
    const slow = await startReceiver((res) => setTimeout(() => res.writeHead(200).end(), 300))
    const silent = await startReceiver(() => undefined)
    closers.push(slow.close, silent.close)
    const statsAfterEnd = async ({ url, cert }: { url: string; cert: string }) => {
      const secrets = [`whsec_${randomBytes(32).toString('base64')}`]
      const hook = notifications.webhook({ url, secrets, ...quickDelivery({ cert }).options })
      hook.observer(replayEvent())
      await endOfNotifier(hook, 0.8)
      return hook.stats()
    }
    expect(await statsAfterEnd(slow)).toMatchObject({ state: 'closed', delivered: 1, deadLetters: 0 })
    expect(await statsAfterEnd(silent)).toMatchObject({ state: 'closed', delivered: 0, deadLetters: 1 })
  })

  it('pushes tokens, and serves the key that signed them', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    process.env['EVENT_KEY'] = String(privateKey.export({ format: 'pem', type: 'pkcs8' }))
    process.env['SOC_TOKEN'] = 'abc'
    const receiver = await startReceiver()
    const { options: delivery } = quickDelivery(receiver)
    const { observers, keys } = observed()
    const app = express()
    const { transmitter } = runCode<{ transmitter: notifications.SecurityEventTransmitter }>(
      codeUnder(PAGE, 'Push Security Event Tokens'),
      {
        modules: {
          'express-provisioning-keys/notifications': {
            securityEventTransmitter: (given: notifications.SecurityEventTransmitterOptions) =>
              notifications.securityEventTransmitter({
                ...given,
                ...delivery,
                receiver: { ...given.receiver, url: receiver.url },
              }),
          },
        },
        globals: { keys, app },
      },
    )
    closers.push(transmitter.close, receiver.close)
    for (const observer of observers) observer(replayEvent())
    await until(() => transmitter.stats().delivered === 1)
    expect(receiver.received[0]?.headers['authorization']).toBe('Bearer abc')
    const { n } = privateKey.export({ format: 'jwk' })
    const { body } = await supertest(app).get('/security-events/jwks').expect(200)
    expect(body.keys).toEqual([expect.objectContaining({ n, alg: 'RS256' })])
  })
})

function fail(...line: unknown[]): never {
  throw new Error(line.join(' '))
}
