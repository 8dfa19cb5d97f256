import { newPair } from '../../lib/testing/forged-token.js'
import { formBody } from '../requests'
import { MINUTE, OTHER_AUDIENCE, SECOND } from '../world'
import { type Attack, repeat, type Stage, type Variant, withKey } from './attack'

/** The owner redeems its key, and somebody else redeems it again. */
function replay(title: string, after: number, who: (stage: Stage) => Stage['owner']): Variant {
  return {
    title,
    run(stage) {
      const { requests, timeline } = stage.world
      const form = { requested_expiry: '3600' }
      withKey(
        stage,
        0,
        async (key) => {
          await requests.redeem(stage.owner, key)
          timeline.after(after, () => requests.redeem(who(stage), key))
        },
        { form },
      )
    },
  }
}

export const replayedKey: Attack = {
  rule: 'replayed_key',
  variants: [
    replay('a thief sends the redeemed key from another network', 10 * SECOND, ({ thief }) => thief),
    replay('a program on the same network sends the redeemed key', 10 * SECOND, ({ owner }) => owner),
    replay('a thief sends the redeemed key after 55 minutes', 55 * MINUTE, ({ thief }) => thief),
  ],
}

export const deadKey: Attack = {
  rule: 'dead_key',
  variants: [
    {
      title: 'somebody sends one expired key five times',
      run(stage) {
        const { requests, timeline } = stage.world
        withKey(stage, 0, (key) =>
          repeat(5, MINUTE, (at) =>
            timeline.after(20 * MINUTE + at, () => requests.redeem(stage.thief, key)),
          ),
        )
      },
    },
    {
      title: 'somebody sends six expired keys of an old log, each once',
      run(stage) {
        const { requests, timeline } = stage.world
        repeat(6, MINUTE, (at) =>
          withKey(stage, at, (key) => timeline.after(90 * MINUTE, () => requests.present(stage.thief, key))),
        )
      },
    },
    {
      title: 'somebody sends a revoked key four times',
      run(stage) {
        const { requests, timeline } = stage.world
        withKey(stage, 0, async (key) => {
          await requests.form(stage.owner, '/oauth/revoke', { token: key })
          repeat(4, 30 * SECOND, (at) =>
            timeline.after(SECOND + at, () => requests.present(stage.thief, key)),
          )
        })
      },
    },
  ],
}

export const cleartextExposure: Attack = {
  rule: 'cleartext_exposure',
  variants: [
    {
      title: 'a client sends a key in a header',
      run: (stage) => withKey(stage, 0, (key) => sendInCleartext(stage, { authorization: `Bearer ${key}` })),
    },
    {
      title: 'a client sends a key in a form',
      run: (stage) =>
        withKey(stage, 0, (key) => sendInCleartext(stage, { body: formBody({ subject_token: key }) })),
    },
    {
      title: 'a client sends an access token',
      run: (stage) =>
        withKey(stage, 0, async (key) => {
          const { token } = await stage.world.requests.redeem(stage.owner, key)
          await sendInCleartext(stage, { authorization: `Bearer ${token}` })
        }),
    },
  ],
}

function sendInCleartext({ world, owner }: Stage, request: { authorization?: string; body?: string }) {
  return world.requests.send(owner, { method: 'POST', path: '/oauth/token', isCleartext: true, ...request })
}

/** Somebody else redeems a bound key with a DPoP key of its own. */
function proveWrongly(title: string, interval: number, who: (stage: Stage) => Stage['owner']): Variant {
  return {
    title,
    run(stage) {
      const { requests, timeline } = stage.world
      const impostor = { ...who(stage), dpop: newPair() }
      const options = { asker: { ...stage.owner, dpop: newPair() }, form: { requested_expiry: '3600' } }
      withKey(
        stage,
        0,
        (key) =>
          repeat(4, interval, (at) => timeline.after(SECOND + at, () => requests.present(impostor, key))),
        options,
      )
    },
  }
}

export const wrongProofKey: Attack = {
  rule: 'wrong_proof_key',
  variants: [
    proveWrongly('a thief sends the key from another network', 5 * SECOND, ({ thief }) => thief),
    proveWrongly('a program on the same network sends the key', 5 * SECOND, ({ owner }) => owner),
    proveWrongly('a thief sends the key once in ten minutes', 10 * MINUTE, ({ thief }) => thief),
  ],
}

export const networkChanged: Attack = {
  rule: 'network_changed',
  variants: [
    {
      title: 'a thief redeems the key',
      run: (stage) => withKey(stage, 0, (key) => stage.world.requests.redeem(stage.thief, key)),
    },
    {
      title: 'a thief only sends the key to the API',
      run: (stage) => withKey(stage, 0, (key) => stage.world.requests.present(stage.thief, key)),
    },
    {
      title: 'a thief registers a client with the key after four minutes',
      run: (stage) =>
        withKey(stage, 0, (key) =>
          stage.world.timeline.after(4 * MINUTE, () => stage.world.requests.register(stage.thief, key)),
        ),
    },
  ],
}

/** Several networks try one key at the API. */
function tryEverywhere(
  title: string,
  count: number,
  interval: number,
  form: Record<string, string>,
): Variant {
  return {
    title,
    run(stage) {
      const { requests, timeline } = stage.world
      withKey(
        stage,
        0,
        (key) =>
          repeat(count, interval, (at, i) =>
            timeline.after(SECOND + at, () => requests.present(stage.from(i), key)),
          ),
        { form },
      )
    },
  }
}

export const manyNetworks: Attack = {
  rule: 'many_networks',
  variants: [
    tryEverywhere('three networks use the key within a minute', 3, 20 * SECOND, {}),
    tryEverywhere('six networks use the key within 50 minutes', 6, 10 * MINUTE, { requested_expiry: '3600' }),
    tryEverywhere('four networks use a key that is for a device', 4, MINUTE, {
      requested_subject: 'device:7',
    }),
  ],
}

export const wrongPlace: Attack = {
  rule: 'wrong_place',
  variants: [
    {
      title: 'somebody sends a key for another API once a second',
      run: (stage) => presentOften(stage, SECOND, { resource: OTHER_AUDIENCE }, stage.owner),
    },
    {
      title: 'somebody sends a key for another API once in 15 minutes',
      run: (stage) =>
        presentOften(stage, 15 * MINUTE, { resource: OTHER_AUDIENCE, requested_expiry: '3600' }, stage.owner),
    },
    {
      title: 'somebody sends a key from a network that the policy forbids',
      run: (stage) => presentOften(stage, MINUTE, {}, stage.thief),
    },
  ],
}

function presentOften(
  stage: Stage,
  interval: number,
  form: Record<string, string>,
  who: Stage['owner'],
): void {
  const { requests, timeline } = stage.world
  const use = (key: string) =>
    repeat(4, interval, (at) => timeline.after(SECOND + at, () => requests.present(who, key)))
  withKey(stage, 0, use, { form })
}

export const leakedKey: Attack = {
  rule: 'leaked_key',
  variants: [
    { title: 'somebody reports a key', run: (stage) => withKey(stage, 0, (key) => report(stage, key)) },
    {
      title: 'somebody reports an access token',
      run: (stage) =>
        withKey(stage, 0, async (key) => {
          const { token } = await stage.world.requests.redeem(stage.owner, key)
          await report(stage, token ?? '')
        }),
    },
    {
      title: 'somebody reports a line of a log that contains a key',
      run: (stage) => withKey(stage, 0, (key) => report(stage, `GET /devices "Bearer ${key}" 200.`)),
    },
  ],
}

function report({ world, thief }: Stage, token: string) {
  return world.requests.send(thief, { method: 'POST', path: '/oauth/leaked', body: formBody({ token }) })
}
