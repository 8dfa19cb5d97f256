import { setTimeout as pause } from 'node:timers/promises'
import supertest from 'supertest'
import { abortedRequest, rawRequest } from '../raw.js'
import { askForKey, obtainKey, send } from '../requests.js'
import { CLIENT, SECRET } from '../server.js'
import { BEARER, type Case, present, READ, tokenRequest } from './case.js'

export const HEADER_AND_BODY_CASES: Case[] = [
  {
    title: 'no credentials at all',
    reason: 'credentials_missing',
    status: 401,
    headers: {
      // A challenge for each scheme, and no error (RFC 6750 3.1, RFC 9449 7.1).
      'www-authenticate':
        /^Bearer realm="auth\.example\.com", resource_metadata="[^"]+", DPoP realm="auth\.example\.com", resource_metadata="[^"]+", algs="ES256 ES384 ES512 RS256 PS256 EdDSA Ed25519"$/,
    },
    act: (server) => send(server, 'get', '/devices'),
  },
  {
    title: 'credentials of another scheme',
    reason: 'credentials_missing',
    status: 401,
    act: (server) => send(server, 'get', '/devices').auth(CLIENT, SECRET),
  },
  {
    title: 'an Authorization header that is no b64token',
    reason: 'header_malformed',
    status: 400,
    error: 'invalid_request',
    headers: BEARER,
    act: (server) => send(server, 'get', '/devices').set('Authorization', 'Bearer a b'),
  },
  {
    title: 'a token in the query',
    reason: 'token_in_query',
    status: 400,
    error: 'invalid_request',
    act: async (server) => send(server, 'get', `/devices?access_token=${await obtainKey(server, READ)}`),
  },
  {
    title: 'a token in the query besides a good header',
    reason: 'token_in_query',
    status: 400,
    error: 'invalid_request',
    act: async (server) => {
      const key = await obtainKey(server, READ)
      return present(server, key).query({ access_token: key })
    },
  },
  {
    title: 'a client secret in the query of the token endpoint',
    reason: 'token_in_query',
    status: 400,
    error: 'invalid_request',
    act: (server) => askForKey(server).query({ client_secret: SECRET }),
  },
  {
    title: 'a token both in the header and in the body',
    reason: 'token_presented_twice',
    status: 400,
    error: 'invalid_request',
    act: async (server) => {
      const key = await obtainKey(server, { scope: 'devices:create' })
      return send(server, 'post', '/parsed')
        .set('Authorization', `Bearer ${key}`)
        .type('form')
        .send({ access_token: key })
    },
  },
  {
    title: 'JSON where a form is expected',
    reason: 'media_type_unsupported',
    status: 415,
    error: 'invalid_request',
    act: (server) =>
      send(server, 'post', '/oauth/token').auth(CLIENT, SECRET).send({ grant_type: 'client_credentials' }),
  },
  {
    title: 'a charset other than UTF-8',
    reason: 'media_type_unsupported',
    status: 415,
    error: 'invalid_request',
    act: (server) => askForKey(server).type('application/x-www-form-urlencoded; charset=utf-16'),
  },
  {
    title: 'a charset in another spelling',
    reason: 'media_type_unsupported',
    status: 415,
    error: 'invalid_request',
    act: (server) => askForKey(server).type('application/x-www-form-urlencoded; charset =utf-16le'),
  },
  {
    title: 'a compressed body',
    reason: 'media_type_unsupported',
    status: 415,
    error: 'invalid_request',
    act: (server) => askForKey(server).set('Content-Encoding', 'gzip'),
  },
  {
    title: 'a body of a megabyte',
    reason: 'body_too_large',
    status: 413,
    error: 'invalid_request',
    act: (server) => askForKey(server, { padding: 'x'.repeat(1024 * 1024) }),
  },
  {
    title: 'a body that is not JSON',
    reason: 'body_malformed',
    status: 400,
    error: 'invalid_request',
    act: (server) => send(server, 'post', '/oauth/register').type('json').send('{"client_name": '),
  },
  {
    title: 'a JSON body that is no object',
    reason: 'body_malformed',
    status: 400,
    error: 'invalid_request',
    act: (server) => send(server, 'post', '/oauth/register').type('json').send('[1]'),
  },
  {
    title: 'another method',
    reason: 'method_not_allowed',
    status: 405,
    error: 'invalid_request',
    headers: { allow: /^POST$/ },
    act: (server) => send(server, 'get', '/oauth/token'),
  },
  {
    title: 'a parameter twice',
    reason: 'parameter_repeated',
    status: 400,
    error: 'invalid_request',
    act: (server) =>
      send(server, 'post', '/oauth/token')
        .type('form')
        .send('grant_type=client_credentials&scope=devices%3Aread&scope=devices%3Aread')
        .auth(CLIENT, SECRET),
  },
  {
    title: 'a broken percent-encoding',
    reason: 'parameter_malformed',
    status: 400,
    error: 'invalid_request',
    act: (server) =>
      send(server, 'post', '/oauth/token')
        .type('form')
        .send('grant_type=client_credentials&scope=%zz')
        .auth(CLIENT, SECRET),
  },
  tokenRequest('a request without grant_type', 'parameter_missing', 'invalid_request', { grant_type: '' }),
]

export const RAW_CASES: Case[] = [
  {
    title: 'two Authorization headers',
    reason: 'header_repeated',
    status: 400,
    error: 'invalid_request',
    act: async (server) => {
      const key = await obtainKey(server, READ)
      return rawRequest(server, ['Authorization', `Bearer ${key}`, 'Authorization', `Bearer ${key}`])
    },
  },
  {
    title: 'a body that ends too early',
    reason: 'body_incomplete',
    status: 400,
    error: 'invalid_request',
    act: async (server) => {
      await abortedRequest(server, 'grant_type=')
      // The client has hung up and gets no answer. The event has the status.
      while (!server.events.some((event) => event.type === 'request.refused')) await pause(5)
      return { status: 400, body: { error: 'invalid_request' }, headers: {} }
    },
  },
  {
    title: 'cleartext',
    reason: 'cleartext',
    status: 403,
    error: 'invalid_request',
    act: async (server) => {
      return supertest(`http://localhost:${await server.openHttp()}`).get('/devices')
    },
  },
]
