import { EnvironmentError, readEnvironment, refuseArguments } from '../../demo-app/environment.js'

it('has a default for everything, and generates a new secret each time', () => {
  const environment = readEnvironment({})
  expect(environment).toMatchObject({
    port: 8443,
    httpPort: 8080,
    clientId: 'demo-client',
    isSecretRandom: true,
  })
  expect(environment.clientSecret).toMatch(/^[\w-]{43}$/)
  expect(readEnvironment({}).clientSecret).not.toBe(environment.clientSecret)
})

it('treats an empty variable as unset', () => {
  const empty = { PORT: '', HTTP_PORT: '', DEMO_CLIENT_ID: '', DEMO_CLIENT_SECRET: '', DEMO_DATABASE: '' }
  expect(readEnvironment(empty)).toMatchObject({ port: 8443, httpPort: 8080, clientId: 'demo-client' })
  expect(readEnvironment(empty)).not.toHaveProperty('database')
})

const SECRET = 'x'.repeat(24)

it('takes the given values, and port 0 for both', () => {
  const given = { PORT: '0', HTTP_PORT: '0', DEMO_CLIENT_ID: 'robot', DEMO_CLIENT_SECRET: SECRET }
  expect(readEnvironment(given)).toEqual({
    port: 0,
    httpPort: 0,
    clientId: 'robot',
    clientSecret: SECRET,
    isSecretRandom: false,
  })
})

const SECRET_EXPECTED =
  'DEMO_CLIENT_SECRET: expected at least 24 characters (generate one: openssl rand -hex 32), got'
const PORT_EXPECTED = 'expected a port from 0 (any free port) to 65535, got'

it.each([
  [{ PORT: 'abc' }, `PORT: ${PORT_EXPECTED} "abc"`],
  [{ PORT: '65536' }, `PORT: ${PORT_EXPECTED} "65536"`],
  [{ PORT: '70000' }, `PORT: ${PORT_EXPECTED} "70000"`],
  [{ PORT: '-1' }, `PORT: ${PORT_EXPECTED} "-1"`],
  [{ PORT: '1.5' }, `PORT: ${PORT_EXPECTED} "1.5"`],
  [{ PORT: '0x50' }, `PORT: ${PORT_EXPECTED} "0x50"`],
  [{ PORT: ' 8443' }, `PORT: ${PORT_EXPECTED} " 8443"`],
  [{ HTTP_PORT: '8080\n\x1b[31m' }, `HTTP_PORT: ${PORT_EXPECTED} "8080\\n\\u001b[31m"`],
  [{ HTTP_PORT: '9'.repeat(99) }, `HTTP_PORT: ${PORT_EXPECTED} "${'9'.repeat(35)}..."`],
  [{ PORT: '8080' }, 'HTTP_PORT: expected a port other than PORT, got 8080 for both'],
  [{ DEMO_CLIENT_ID: 'café' }, 'DEMO_CLIENT_ID: expected 1 to 255 printable ASCII characters, got "caf?"'],
  [{ DEMO_CLIENT_SECRET: 'short67' }, `${SECRET_EXPECTED} 7`],
  [{ PORT: 'x', DEMO_CLIENT_SECRET: '1' }, `PORT: ${PORT_EXPECTED} "x"; ${SECRET_EXPECTED} 1`],
])('rejects %j in one line', (env, message) => {
  expect(() => readEnvironment(env)).toThrow(new EnvironmentError(message))
})

it('rejects a client id of 256 characters', () => {
  expect(readEnvironment({ DEMO_CLIENT_ID: 'x'.repeat(255) }).clientId).toHaveLength(255)
  expect(() => readEnvironment({ DEMO_CLIENT_ID: 'x'.repeat(256) })).toThrow(EnvironmentError)
})

it('rejects arguments, and lists the environment variables', () => {
  expect(() => refuseArguments([])).not.toThrow()
  expect(() => refuseArguments(['--port', '9000'])).toThrow(
    'unexpected argument "--port"; set environment variables instead: PORT, HTTP_PORT, DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, DEMO_DATABASE',
  )
})
