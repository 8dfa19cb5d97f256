import express from 'express'
import supertest from 'supertest'
import { type ProvisioningEvent, provisioningKeys } from '../../lib/index.js'
import { toEcs, toOcsf } from '../../lib/siem/siem.js'
import { CLIENT, SECRET, workingOptions } from '../support/deployed.js'
import { until } from '../support/receiver'
import { schemaFaults as ecsFaults } from './ecs-faults'
import { schemaFaults as ocsfFaults } from './ocsf-faults'

const FROM_PROXY = { 'X-Forwarded-Proto': 'https', 'User-Agent': 'device/1.0' }
const WRONG_SECRET = 'hunter2-hunter2-hunter2-hunter2'

/** The events of a deployment where a key is stolen. */
async function theft() {
  const events: ProvisioningEvent[] = []
  const keys = provisioningKeys({ ...workingOptions(), observer: (event) => events.push(event) })
  const app = express().set('trust proxy', 'loopback').use(keys.router())
  const post = (path: string, form: object) =>
    supertest(app).post(path).set(FROM_PROXY).type('form').send(form)
  const ask = { grant_type: 'client_credentials', scope: 'provision:token devices:read' }
  await post('/oauth/token', ask).auth(CLIENT, WRONG_SECRET).expect(401)
  const { body } = await post('/oauth/token', ask).auth(CLIENT, SECRET).expect(200)
  const key: string = body.access_token
  const exchange = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    subject_token: key,
    scope: 'devices:read',
  }
  const exchanged = await post('/oauth/token', exchange)
  await post('/oauth/token', exchange)
  await until(() => events.some(({ type }) => type === 'finding.opened'))
  const [finding] = await keys.findings()
  await keys.closeFinding({ findingId: String(finding?.id), author: 'alice' })
  await keys.lockClient({ clientId: CLIENT, reason: 'theft', author: 'alice' })
  await until(() => events.some(({ type }) => type === 'client.locked'))
  return { events, secrets: [key, WRONG_SECRET, SECRET, String(exchanged.body.access_token)] }
}

describe('the events of a theft', () => {
  it('fit both schemas, and contain no secret', async () => {
    const { events, secrets } = await theft()
    const types = new Set(events.map(({ type }) => type))
    const expected = [
      'request.refused',
      'key.issued',
      'key.redeemed',
      'key.replayed',
      'finding.opened',
      'client.locked',
    ]
    expect(expected.filter((type) => !types.has(type as never))).toEqual([])
    for (const event of events) {
      expect([event.type, ocsfFaults(toOcsf(event)), ecsFaults(toEcs(event))]).toEqual([event.type, [], []])
      const lines = JSON.stringify([toOcsf(event), toEcs(event)])
      expect(secrets.filter((secret) => lines.includes(secret))).toEqual([])
    }
  })

  it('name one key in all events about it', async () => {
    const { events } = await theft()
    const about = events.filter(({ type }) => ['key.issued', 'key.redeemed', 'key.replayed'].includes(type))
    const ids = about.flatMap((event) => [
      toOcsf(event).metadata.correlation_uid,
      toEcs(event).provisioning_key?.['key_id'],
    ])
    expect(ids.length).toBeGreaterThanOrEqual(6)
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toEqual(expect.any(String))
  })
})
