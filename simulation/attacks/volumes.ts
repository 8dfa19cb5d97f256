import { provision } from '../life/provision'
import { HOUR, MINUTE, SECOND } from '../world'
import { type Attack, repeat, type Stage, type Variant, withKey } from './attack'

interface Volume {
  readonly count: number
  readonly within: number
  readonly from: (stage: Stage, i: number) => Stage['owner']
}

/** Asks for many keys, and does not redeem them. */
function askOften(title: string, { count, within, from }: Volume): Variant {
  return {
    title,
    run: (stage) =>
      repeat(count, within / count, (at, i) => stage.at(at, () => stage.world.requests.ask(from(stage, i)))),
  }
}

export const issuanceBurst: Attack = {
  rule: 'issuance_burst',
  variants: [
    askOften('all requests come from one new network', {
      count: 60,
      within: MINUTE,
      from: ({ thief }) => thief,
    }),
    askOften('the requests come from five new networks', {
      count: 60,
      within: MINUTE,
      from: ({ from }, i) => from(i % 5),
    }),
    askOften('the requests come from one new network, spread over ten minutes', {
      count: 250,
      within: 10 * MINUTE,
      from: ({ thief }) => thief,
    }),
  ],
}

export const stockpiling: Attack = {
  rule: 'stockpiling',
  variants: [
    askOften('80 requests within a minute, from the usual network', {
      count: 80,
      within: MINUTE,
      from: ({ owner }) => owner,
    }),
    askOften('300 requests within half an hour, from another network', {
      count: 300,
      within: 30 * MINUTE,
      from: ({ thief }) => thief,
    }),
    askOften('500 requests within an hour, from several networks', {
      count: 500,
      within: HOUR,
      from: ({ from }, i) => from(i % 5),
    }),
  ],
}

/** Registers many clients. */
function registerOften(title: string, { count, within, from }: Volume): Variant {
  return {
    title,
    run: (stage) =>
      repeat(count, within / count, (at, i) => {
        const asker = from(stage, i)
        const form = { requested_subject: `device:burst-${count}-${i}` }
        withKey(stage, at, (key) => stage.world.requests.register(asker, key), { asker, form })
      }),
  }
}

export const registrationBurst: Attack = {
  rule: 'registration_burst',
  variants: [
    registerOften('all requests come from one new network', {
      count: 60,
      within: MINUTE,
      from: ({ thief }) => thief,
    }),
    registerOften('the requests come from several networks', {
      count: 60,
      within: MINUTE,
      from: ({ from }, i) => from(i % 5),
    }),
    registerOften('the requests are spread over 20 minutes', {
      count: 120,
      within: 20 * MINUTE,
      from: ({ thief }) => thief,
    }),
  ],
}

interface Waiting {
  readonly count: number
  readonly interval: number
  readonly delay: number
  readonly form?: Readonly<Record<string, string>>
  readonly redeemer?: (stage: Stage) => Stage['owner']
}

/** Redeems each key after the same time. The owner gets no keys meanwhile. */
function redeemAfter(title: string, { count, interval, delay, form = {}, redeemer }: Waiting): Variant {
  return {
    title,
    run(stage) {
      const { owner, at, world, silenceOwner } = stage
      at(0, silenceOwner)
      const redeeming = { asker: owner, redeemer: redeemer?.(stage) ?? owner, form, delay }
      repeat(count, interval, (milliseconds) =>
        at(10 * SECOND + milliseconds, () => provision(world, redeeming)),
      )
    },
  }
}

export const fastRedemption: Attack = {
  rule: 'fast_redemption',
  variants: [
    redeemAfter('five keys are redeemed, each within 5 ms', { count: 5, interval: SECOND, delay: 5 }),
    redeemAfter('five keys are redeemed from another network, each within 15 ms', {
      count: 5,
      interval: MINUTE,
      delay: 15,
      redeemer: ({ thief }) => thief,
    }),
    redeemAfter('one key is redeemed every ten minutes, within 5 ms', {
      count: 10,
      interval: 10 * MINUTE,
      delay: 5,
    }),
  ],
}

export const lateRedemption: Attack = {
  rule: 'late_redemption',
  variants: [
    redeemAfter('the client redeems one key after another', {
      count: 12,
      interval: 5 * MINUTE,
      delay: 290 * SECOND,
    }),
    redeemAfter('somebody on another network redeems many keys together', {
      count: 12,
      interval: SECOND,
      delay: 295 * SECOND,
      redeemer: ({ thief }) => thief,
    }),
    redeemAfter('the client redeems keys that live for an hour', {
      count: 12,
      interval: MINUTE,
      delay: 58 * MINUTE,
      form: { requested_expiry: '3600' },
    }),
  ],
}

export const silentClient: Attack = {
  rule: 'silent_client',
  variants: [
    { title: 'the client stops', run: ({ at, silenceOwner }) => at(0, silenceOwner) },
    {
      title: 'the client has a wrong secret, and sends a request every hour',
      run({ at, silenceOwner, world, owner }) {
        at(0, silenceOwner)
        const wrong = { ...owner, secret: 'a-secret-that-is-no-longer-valid' }
        repeat(12, HOUR, (milliseconds) => at(milliseconds, () => world.requests.ask(wrong)))
      },
    },
    {
      title: 'the client stops, and a thief uses its credentials for ten minutes',
      run({ at, silenceOwner, world, thief }) {
        at(0, silenceOwner)
        repeat(5, 2 * MINUTE, (milliseconds) => at(milliseconds, () => world.requests.ask(thief)))
      },
    },
  ],
}
