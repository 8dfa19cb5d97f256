import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomSecret } from '../../base/secret.js'
import { filesForOthers, placesIn, variablesFor } from './client-environment.js'
import { argumentsOf, type ClientRun, runClient } from './client-process.js'
import type { GivenKey } from './genuine-issuer.js'
import { type Disturbance, HostileIssuer } from './hostile-issuer.js'
import type { Observation, Supply } from './observation.js'
import { SecretSearch } from './secret-search.js'
import type { Certificate } from './servers.js'

/** The client, and how it is run. */
export interface ClientSettings {
  /** The program and its arguments. */
  readonly program: readonly string[]
  /** The environment that the client inherits. */
  readonly env: NodeJS.ProcessEnv
  /** The longest time of one start of the client. */
  readonly timeoutSeconds: number
  readonly supply: Supply
  /** Receives each secret that the client gets. */
  readonly onSecret: (secret: string) => void
}

/** What happens to a client. */
export interface Experiment {
  readonly needsNonce?: boolean
  readonly clockOffsetSeconds?: number
  /** The certificate of the issuer. Default: the issuer has no TLS. */
  readonly certificate?: Certificate
  /** The certificate of the authority that the client trusts, as PEM. */
  readonly authority?: string
  readonly disturb?: Disturbance
  /** The key that the client gets from its operator. Default: a good one. */
  readonly key?: GivenKey
  /** How often the client is started. Default: once. */
  readonly starts?: number
}

/** A client in any language. Each experiment gives it another issuer and an empty folder. */
export class ClientUnderTest {
  readonly supply: Supply
  readonly #settings: ClientSettings
  #healthy: Promise<Observation> | undefined

  constructor(settings: ClientSettings) {
    this.#settings = settings
    this.supply = settings.supply
  }

  /** What the client does with an issuer without faults. It is observed once. */
  healthy(signal: AbortSignal): Promise<Observation> {
    this.#healthy ??= this.observe({}, signal)
    return this.#healthy
  }

  /** Starts an issuer, runs the client, and tells what it did. */
  async observe(experiment: Experiment, signal: AbortSignal): Promise<Observation> {
    const folder = await mkdtemp(join(tmpdir(), 'check-client-'))
    const watch = new Watch()
    const clientSecret = randomSecret()
    const { search } = watch
    const onRequest = (request: { readonly url: string }) => watch.request(request)
    const issuer = await HostileIssuer.start({ ...experiment, clientSecret, search, onRequest })
    try {
      const runs: ClientRun[] = []
      const marks: number[] = []
      for (let start = 0; start < (experiment.starts ?? 1); start += 1) {
        marks.push(issuer.exchanges.length)
        const credential = await this.#credential(issuer, { clientSecret, key: experiment.key ?? 'good' })
        watch.search.add(this.supply === 'key' ? 'the provisioning key' : 'the client secret', credential)
        const places = await placesIn(folder, { ...experiment, issuer: issuer.origin })
        runs.push(await this.#run({ ...places, ...variablesFor(this.supply, credential) }, { watch, signal }))
      }
      const { exchanges, strangerRequests, genuine } = issuer
      const seen = { runs, marks, exchanges, strangerRequests, bindings: genuine.bindings }
      const openFiles = await filesForOthers(folder, search)
      return { ...seen, supply: this.supply, leaks: search.leaks, openFiles }
    } finally {
      await issuer.close()
      await rm(folder, { recursive: true, force: true })
    }
  }

  async #credential(
    { genuine }: HostileIssuer,
    { clientSecret, key }: { readonly clientSecret: string; readonly key: GivenKey },
  ): Promise<string> {
    const credential = this.supply === 'key' ? await genuine.newKey(key) : clientSecret
    this.#settings.onSecret(credential)
    return credential
  }

  #run(
    variables: NodeJS.ProcessEnv,
    { watch, signal }: { readonly watch: Watch; readonly signal: AbortSignal },
  ): Promise<ClientRun> {
    const { program, timeoutSeconds, env } = this.#settings
    // A client that gives up then still has time to end.
    const DEADLINE = String(Math.ceil(timeoutSeconds * 0.75))
    return runClient({
      program,
      timeoutSeconds,
      env: { ...env, ...variables, DEADLINE },
      signal,
      onStart: (sessionId) => {
        watch.sessionId = sessionId
      },
      onOutput: { stdout: watch.search.stream('stdout'), stderr: watch.search.stream('stderr') },
    })
  }
}

/** Looks for secrets in everything that others can see. */
class Watch {
  readonly search = new SecretSearch()
  sessionId: number | undefined

  /** Looks while the client waits for an answer: a program such as curl is running then. */
  async request({ url }: { readonly url: string }): Promise<void> {
    this.search.look(url, 'the URL of a request')
    const running = this.sessionId === undefined ? [] : await argumentsOf(this.sessionId)
    for (const text of running) this.search.look(text, 'the arguments of a process')
  }
}
