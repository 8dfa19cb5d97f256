import { carelessLog, linesThatTell, mountCarelessly } from '../../support/careless-logs.js'
import { exactly } from '../../support/exact.js'
import { until } from '../../support/redeeming.js'
import { manage, pathOf, registerClient, update } from '../../support/registering.js'
import { send } from '../../support/requests.js'
import { startServer } from '../../support/server.js'

describe('registration access tokens and new secrets', () => {
  test.each([false, true])(
    'are told to their client and to no log; bodies parsed before us: %s',
    async (parses) => {
      const log = carelessLog()
      const options = { registration: { rotateAccessToken: true, clientSecretLifetimeSeconds: 1000 } }
      const server = await startServer({ options, mount: mountCarelessly(log, { parses }) })
      const secrets: string[] = []
      try {
        const [one, other] = [await registerClient(server), await registerClient(server)]
        const token = one.registration_access_token
        await manage(server, 'get', one).expect(200)
        const { body: updated } = await update(server, one).expect(200)
        await update(server, one, { scope: 'admin' }).expect(400)
        await manage(server, 'put', one)
          .type('json')
          .send(`{"client_secret":"${one.client_secret}"`)
          .expect(400)
        await manage(server, 'put', one)
          .type('json')
          .send(`{"client_secret":"${one.client_secret}","registration_access_token":"${token}"}`)
          .expect(400)
        await send(server, 'get', `${pathOf(one)}?access_token=${token}`).expect(400)
        await send(server, 'get', `${pathOf(one)}?rat=${token}`).expect(401)
        await send(server, 'get', pathOf(one)).set('Authorization', `Bearer ${token} ${token}`).expect(400)
        await send(server, 'get', pathOf(one)).set('Authorization', token).expect(401)
        await manage(server, 'get', {
          ...one,
          registration_client_uri: other.registration_client_uri,
        }).expect(401)
        await manage(server, 'delete', other).expect(204)
        const headers = { Authorization: `Bearer ${updated.registration_access_token}` }
        const cleartextPort = await server.openHttp()
        await exactly(server, { method: 'GET', path: pathOf(one), headers, cleartextPort })
        await until(() => server.events.some(({ type }) => type === 'registration.exposed'))
        log.note(server.events, server.keys)
        const tokens = [token, updated.registration_access_token, other.registration_access_token]
        secrets.push(...tokens.map((text) => text.split('.')[1]), one.client_secret, other.client_secret)
      } finally {
        await server.close()
        log.release()
      }
      expect(log.lines.length).toBeGreaterThan(30)
      expect(linesThatTell(secrets, log.lines)).toEqual([])
    },
  )
})
