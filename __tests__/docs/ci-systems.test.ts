import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import express, { type Express } from 'express'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { parse } from 'yaml'
import { freePort } from '../support/free-port'
import { codeBlocks, codeUnder } from './markdown'
import { runCode } from './run-code'
import { makeSandbox, type Sandbox } from './sandbox'
import { inShell } from './shell'

const PAGE = 'docs/guides/ci-systems.md'
const JOB = codeBlocks(PAGE).filter(({ heading }) => heading === 'The job')
const [script = '', gitHub = '', gitLab = ''] = JOB.map(({ code }) => code)

const GITHUB_JOB = {
  repository: 'acme/app',
  ref: 'refs/heads/main',
  event_name: 'push',
  run_id: '77',
  run_attempt: '1',
}
const GITLAB_JOB = {
  project_path: 'acme/app',
  ref: 'main',
  ref_type: 'branch',
  ref_protected: 'true',
  job_id: '88',
}

/** A CI system that signs ID tokens as GitHub and GitLab do. */
async function startCiSystem() {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const sign = (audience: string, claims: JWTPayload) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuer(origin)
      .setAudience(audience)
      .setExpirationTime('5m')
      .sign(privateKey)
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one' }] }
  const app = express()
  app.get(['/.well-known/jwks', '/oauth/discovery/keys'], (_req, res) => void res.json(keys))
  app.get('/request', async (req, res) => {
    if (req.get('Authorization') !== 'Bearer the-job') return void res.sendStatus(401)
    res.json({ count: 1, value: await sign(String(req.query['audience']), GITHUB_JOB) })
  })
  const { origin, close } = await listen(app)
  return { origin, sign, close }
}

async function listen(app: Express, port = 0) {
  const server = app.listen(port, 'localhost')
  await once(server, 'listening')
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { origin: `http://localhost:${(server.address() as AddressInfo).port}`, close }
}

/** The server of the page, for a CI system of this test. */
async function startIssuer(ciIssuer: string, change = (code: string) => code) {
  const port = await freePort()
  const env = { ORIGIN: `http://localhost:${port}` }
  const code = change(codeUnder(PAGE, 'The server'))
    .replace(/const CI_ISSUER = .*/, `const CI_ISSUER = '${ciIssuer}'`)
    .replace('app.listen(3000)', 'export { app }')
  const globals = { process: { ...process, env }, console: { log: () => undefined } }
  return listen(runCode<{ app: Express }>(code, { globals }).app, port)
}

/** Replaces the constants of GitHub by those of GitLab. */
function forGitLab(code: string): string {
  const constants = codeUnder(PAGE, 'The server', { index: 1 })
    .replace(/^import .*$/gm, '')
    .replaceAll('export ', '')
  return code.replace(/^const CI_ISSUER[\s\S]*?^const nameOf.*$/m, constants)
}

describe('the job of docs/guides/ci-systems.md', () => {
  let ci: Awaited<ReturnType<typeof startCiSystem>>
  let sandbox: Sandbox

  beforeAll(async () => {
    sandbox = makeSandbox()
    sandbox.write('get-token.sh', script)
    ci = await startCiSystem()
  })

  afterAll(() => {
    ci.close()
    sandbox.remove()
  })

  it('uploads from GitHub Actions, and gives the access token only to the step that needs it', async () => {
    const issuer = await startIssuer(ci.origin)
    const [, access, upload] = parse(gitHub).jobs.upload.steps
    const output = join(sandbox.folder, 'output')
    const { stdout } = await inShell(sandbox.folder, access.run, {
      SERVER: issuer.origin,
      GITHUB_OUTPUT: output,
      ACTIONS_ID_TOKEN_REQUEST_URL: `${ci.origin}/request?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'the-job',
    })
    const [, token = ''] = /^token=(.+)$/m.exec(readFileSync(output, 'utf8')) ?? []
    expect(stdout).toBe(`::add-mask::${token}\n`)
    expect(upload.env.TOKEN).toBe(`\${{ steps.${access.id}.outputs.token }}`)
    const uploaded = await inShell(sandbox.folder, upload.run, { SERVER: issuer.origin, TOKEN: token })
    expect(uploaded.stdout).toBe('{"name":"app.zip","by":"runner:77-1"}')
    issuer.close()
  })

  it('uploads from GitLab', async () => {
    const issuer = await startIssuer(ci.origin, forGitLab)
    const idToken = await ci.sign(issuer.origin, GITLAB_JOB)
    const commands = parse(gitLab).upload.script.join('\n')
    const { stdout } = await inShell(sandbox.folder, commands, { SERVER: issuer.origin, ID_TOKEN: idToken })
    expect(stdout).toBe('{"name":"app.zip","by":"runner:88"}')
    issuer.close()
  })

  it('gets no key for another repository, branch, event or server, and the script stops', async () => {
    const issuer = await startIssuer(ci.origin)
    const foreign = [
      await ci.sign(issuer.origin, { ...GITHUB_JOB, repository: 'mallory/app' }),
      await ci.sign(issuer.origin, { ...GITHUB_JOB, ref: 'refs/heads/other' }),
      await ci.sign(issuer.origin, { ...GITHUB_JOB, event_name: 'pull_request_target' }),
      await ci.sign('https://other.example.com', GITHUB_JOB),
      'garbage',
    ]
    for (const idToken of foreign) {
      const env = { SERVER: issuer.origin, ID_TOKEN: idToken }
      await expect(inShell(sandbox.folder, script, env)).rejects.toThrow('returned error: 401')
    }
    issuer.close()
  })
})
