import { createPublicKey } from 'node:crypto'
import { memoryStore, type ProvisioningStore, provisioningKeyVerifier } from '../../../lib/index.js'
import { METRICS } from '../../../lib/monitoring/metrics.js'
import { RULES } from '../../../lib/monitoring/rules/rules.js'
import { askForKey, exchangeKey, obtainKey, send } from '../../support/requests.js'
import {
  AUDIENCE,
  ISSUER,
  mountAll,
  type RunningServer,
  SECRET,
  type ServerPlan,
  SIGNING_KEY,
  startServer,
} from '../../support/server.js'
import { realMetrics, samplesIn } from '../../support/telemetry.js'

let server: RunningServer | undefined

afterEach(async () => {
  await server?.close()
  server = undefined
})

async function measured(options: ServerPlan['options'] = {}, mount: ServerPlan['mount'] = mountAll) {
  const metrics = realMetrics()
  const { meterProvider } = metrics
  server = await startServer({ options: { telemetry: { meterProvider }, ...options }, mount })
  return { server, metrics }
}

/** A store that is not measured as one in memory, because it is a copy. */
function otherStore(verbs: Partial<ProvisioningStore> = {}): ProvisioningStore {
  return { ...memoryStore(), ...verbs }
}

const present = (one: RunningServer, key: string, method: 'get' | 'post' = 'get') =>
  send(one, method, '/devices').set('Authorization', `Bearer ${key}`)

describe('the counters', () => {
  it('count issued keys, accepted requests and redemptions by their outcome', async () => {
    const { server, metrics } = await measured()
    const [read, create, token] = [
      await obtainKey(server, { scope: 'devices:read' }),
      await obtainKey(server, { scope: 'devices:create' }),
      await obtainKey(server),
    ]
    await present(server, read).expect(200)
    await present(server, read).expect(200)
    await present(server, create, 'post').expect(201)
    await exchangeKey(server, token).expect(200)
    expect(await metrics.values('provisioning_key_issuances_total')).toEqual({ 'binding=none': 3 })
    expect(await metrics.values('provisioning_key_verifications_total')).toEqual({
      'credential=provisioning_key': 2,
      'credential=access_token': 0,
    })
    expect(await metrics.values('provisioning_key_redemptions_total')).toEqual({
      'action=route,outcome=redeemed': 1,
      'action=token,outcome=redeemed': 1,
    })
  })

  it('count refusals by endpoint and reason', async () => {
    const { server, metrics } = await measured()
    await askForKey(server, {}, { id: 'ci-runner', secret: 'wrong' }).expect(401)
    await present(server, 'no-key').expect(401)
    await present(server, 'no-key').expect(401)
    expect(await metrics.values('provisioning_key_refusals_total')).toEqual({
      'endpoint=token,error_type=client_secret_wrong': 1,
      'endpoint=resource,error_type=key_malformed': 2,
    })
  })

  it('show each type of event with 0 before its first event, so that an alert notices it', async () => {
    const { server, metrics } = await measured()
    const series = 'event_type=key.replayed,event_severity=high'
    expect((await metrics.values('provisioning_key_events_total'))[series]).toBe(0)
    const key = await obtainKey(server)
    await exchangeKey(server, key).expect(200)
    await exchangeKey(server, key).expect(400)
    expect((await metrics.values('provisioning_key_events_total'))[series]).toBe(1)
  })

  it('show each active rule with 0 before its first finding', async () => {
    const { metrics } = await measured({ monitoring: { rules: { silent_client: false } } })
    const { silent_client: _, canary: __, ...active } = RULES
    const series = Object.values(active).map(
      ({ id, severity }) => `security_rule_name=${id},finding_severity=${severity}`,
    )
    expect(await metrics.values('provisioning_key_findings_total')).toEqual(
      Object.fromEntries(series.map((name) => [name, 0])),
    )
  })

  it('show no rule if the monitoring is off', async () => {
    const { metrics } = await measured({ monitoring: false })
    expect(await metrics.values('provisioning_key_findings_total')).toEqual({})
  })

  it('count the event of a finding with the severity of its rule', async () => {
    const { server, metrics } = await measured({ monitoring: {} })
    const high = 'event_type=finding.opened,event_severity=high'
    expect((await metrics.values('provisioning_key_events_total'))[high]).toBe(0)
    const key = await obtainKey(server)
    await exchangeKey(server, key).expect(200)
    await exchangeKey(server, key).expect(400)
    const counted = await metrics.values('provisioning_key_events_total')
    const ofFindings = Object.entries(counted).filter(([name]) =>
      name.startsWith('event_type=finding.opened'),
    )
    expect(Object.fromEntries(ofFindings)).toEqual({
      'event_type=finding.opened,event_severity=high': 1,
      'event_type=finding.opened,event_severity=warning': 0,
      'event_type=finding.opened,event_severity=notice': 0,
    })
    const name = 'security_rule_name=replayed_key,finding_severity=high'
    expect((await metrics.values('provisioning_key_findings_total'))[name]).toBe(1)
  })

  it('count released keys, and the next redemption of the same key', async () => {
    let status = 500
    const { server, metrics } = await measured({}, (app, keys) => {
      app.use(keys.router())
      app.post(
        '/devices',
        keys.redeemProvisioningKey({ scope: 'devices:create', audience: AUDIENCE }),
        (_req, res) => {
          res.status(status).end()
        },
      )
    })
    const key = await obtainKey(server, { scope: 'devices:create' })
    await present(server, key, 'post').expect(500)
    status = 201
    await present(server, key, 'post').expect(201)
    expect(await metrics.values('provisioning_key_redemptions_total')).toEqual({
      'action=route,outcome=released': 1,
      'action=route,outcome=redeemed': 1,
    })
    expect(await metrics.values('provisioning_key_redemption_duration_count')).toEqual({
      'action=route,error_type=released': 1,
      'action=route': 1,
    })
  })

  it('add up if two deployments in one process use the same provider', async () => {
    const { server, metrics } = await measured()
    const { meterProvider } = metrics
    const other = await startServer({ options: { telemetry: { meterProvider } } })
    try {
      await obtainKey(server)
      await obtainKey(other)
      await metrics.text()
      await obtainKey(other)
      expect(await metrics.values('provisioning_key_issuances_total')).toEqual({ 'binding=none': 3 })
      expect(await metrics.values('provisioning_key_outstanding')).toEqual({ '': 3 })
    } finally {
      await other.close()
    }
  })

  it('count the events that a slow observer misses', async () => {
    let release = () => {}
    const waiting = new Promise<void>((resolve) => {
      release = resolve
    })
    const { server, metrics } = await measured({ observer: () => waiting })
    expect(await metrics.values('provisioning_key_dropped_events_total')).toEqual({ '': 0 })
    const who = { clientId: 'stranger', author: 'alice' }
    for (let i = 0; i < 513; i += 1) {
      await server.keys.lockClient({ ...who, reason: 'a test' })
      await server.keys.unlockClient(who)
    }
    const dropped = server.keys.droppedEvents()
    expect(dropped).toBeGreaterThan(0)
    expect(await metrics.values('provisioning_key_dropped_events_total')).toEqual({ '': dropped })
    release()
  })

  it('have no label that a client can fill', async () => {
    const { server, metrics } = await measured({ store: otherStore() })
    for (let i = 0; i < 30; i += 1) {
      await askForKey(server, { scope: `s-${i}` }, { id: `stranger-${i}`, secret: SECRET }).expect(401)
      await present(server, `junk-${i}`).set('User-Agent', `agent-${i}`).expect(401)
    }
    const text = await metrics.text()
    expect(text).not.toMatch(/stranger|junk|agent-|s-\d/)
    expect(samplesIn(text).filter(({ name }) => name === 'provisioning_key_refusals_total')).toHaveLength(2)
  })
})

describe('the histograms', () => {
  it('measure each use case, with the reason of a refusal', async () => {
    const { server, metrics } = await measured()
    const key = await obtainKey(server, { scope: 'devices:read' })
    await askForKey(server, { scope: 'admin' }).expect(400)
    await present(server, key).expect(200)
    await present(server, await obtainKey(server, { scope: 'devices:create' })).expect(403)
    const token = await obtainKey(server)
    await exchangeKey(server, token).expect(200)
    await exchangeKey(server, token).expect(400)
    const values = (name: string) => metrics.values(`provisioning_key_${name}_duration_count`)
    expect(await values('issuance')).toEqual({ '': 3, 'error_type=scope_not_permitted': 1 })
    expect(await values('verification')).toEqual({ '': 1, 'error_type=scope_insufficient': 1 })
    expect(await values('redemption')).toEqual({
      'action=token': 1,
      'action=token,error_type=key_redeemed': 1,
    })
  })

  it('measure the age of a key at its redemption', async () => {
    let now = Date.now()
    const { server, metrics } = await measured({ now: () => now, store: memoryStore({ now: () => now }) })
    const key = await obtainKey(server)
    now += 42_000
    await exchangeKey(server, key).expect(200)
    const [age = 0] = Object.values(await metrics.values('provisioning_key_redemption_key_age_sum'))
    expect(age).toBeGreaterThanOrEqual(42)
    expect(age).toBeLessThan(44)
  })

  it('measure each verb of the store, with its outcome', async () => {
    const { server, metrics } = await measured({
      store: otherStore({ revoke: () => Promise.reject(new Error('down')) }),
    })
    const key = await obtainKey(server)
    await exchangeKey(server, key).expect(200)
    await server.keys.revokeKey({ clientId: 'ci-runner', keyId: 'unknown' }).catch(() => undefined)
    expect(await metrics.values('provisioning_key_store_duration_count')).toMatchObject({
      'store_verb=record,outcome=recorded': 1,
      'store_verb=redeem,outcome=reserved': 1,
      'store_verb=settle,outcome=settled': 1,
      'store_verb=revoke,outcome=failed': 1,
      'store_verb=noteUse,outcome=answered': expect.any(Number),
    })
  })

  it('do not measure memoryStore(), which answers faster than a measurement', async () => {
    const { server, metrics } = await measured({ store: memoryStore() })
    await obtainKey(server)
    expect(await metrics.values('provisioning_key_store_duration_count')).toEqual({})
  })
})

describe('the outstanding keys', () => {
  it('fall when a key is redeemed or expires', async () => {
    let now = Date.now()
    const { server, metrics } = await measured({ now: () => now, store: memoryStore({ now: () => now }) })
    const [first] = [await obtainKey(server), await obtainKey(server), await obtainKey(server)]
    const outstanding = () => metrics.values('provisioning_key_outstanding')
    expect(await outstanding()).toEqual({ '': 3 })
    await exchangeKey(server, first).expect(200)
    expect(await outstanding()).toEqual({ '': 2 })
    now += 3_600_000
    expect(await outstanding()).toEqual({ '': 0 })
  })

  it('are right in the sum over a process that issues and one that redeems', async () => {
    const store = memoryStore()
    const { server, metrics } = await measured({ store })
    const elsewhere = realMetrics()
    const verifier = provisioningKeyVerifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      jwks: {
        keys: [{ ...createPublicKey(SIGNING_KEY).export({ format: 'jwk' }), ...(await kidOf(server)) }],
      },
      store,
      observer: () => undefined,
      telemetry: { meterProvider: elsewhere.meterProvider },
    })
    server.app.post('/there', verifier.redeemProvisioningKey({ scope: 'devices:create' }), (_req, res) => {
      res.status(201).end()
    })
    const key = await obtainKey(server, { scope: 'devices:create' })
    await send(server, 'post', '/there').set('Authorization', `Bearer ${key}`).expect(201)
    expect(await metrics.values('provisioning_key_outstanding')).toEqual({ '': 1 })
    expect(await elsewhere.values('provisioning_key_outstanding')).toEqual({ '': -1 })
  })
})

/** The id of the signing key in the JWK Set of a server. */
async function kidOf(server: RunningServer) {
  const { body } = await send(server, 'get', '/oauth/jwks').expect(200)
  return { kid: body.keys[0].kid, alg: body.keys[0].alg }
}

describe('the table of metrics', () => {
  it('is what a real exporter prints, with the same kinds', async () => {
    const { server, metrics } = await measured({ store: otherStore(), monitoring: {} })
    const key = await obtainKey(server)
    await exchangeKey(server, key).expect(200)
    await exchangeKey(server, key).expect(400)
    const read = await obtainKey(server, { scope: 'devices:read' })
    await present(server, read).expect(200)
    await present(server, 'junk').expect(401)
    const printed = [...(await metrics.text()).matchAll(/^# TYPE (provisioning_key_\w+) (\w+)$/gm)]
    const kinds = { counter: 'counter', 'up-down counter': 'gauge', histogram: 'histogram' }
    const expected = METRICS.map(([kind, { name }]) => {
      const plain = name.replaceAll('.', '_')
      return [kind === 'counter' ? `${plain}_total` : plain, kinds[kind]]
    })
    expect(printed.map(([, name, kind]) => [name, kind]).sort()).toEqual(expected.sort())
  })
})

describe('a provider that breaks its promises', () => {
  it('makes no request fail', async () => {
    const broken = () => {
      throw new Error('broken')
    }
    const instrument = { add: broken, record: broken, addCallback: () => undefined }
    const meter = {
      createCounter: () => instrument,
      createUpDownCounter: () => instrument,
      createHistogram: () => instrument,
      createObservableGauge: () => instrument,
    }
    server = await startServer({
      options: {
        store: otherStore(),
        telemetry: {
          meterProvider: { getMeter: () => meter },
          tracerProvider: { getTracer: () => ({ startActiveSpan: broken }) },
        },
      },
    })
    const key = await obtainKey(server)
    await exchangeKey(server, key).expect(200)
  })
})
