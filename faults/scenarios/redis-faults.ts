import { pause } from '../clock'
import { audit } from '../load'
import { isRedemption, isSuccess } from '../model/history'
import { LIMITS } from '../scale'
import { hastyRefusals, loadOptions, type Scenario, underLoad } from '../scenario'
import type { PlainStage } from '../stage'

/** kill -9, and another comes up in its place, which knows nothing. */
export const redisCrash: Scenario<PlainStage> = {
  name: 'redis killed',
  title: '`kill -9` of Redis, and a restart',
  play: (stage) =>
    underLoad(stage, {
      async interfere({ recorder }) {
        await recorder.losing('forgot', async () => {
          stage.redis.signal('SIGKILL')
          await pause(stage.scale.faultSeconds * 1000)
          await stage.restartRedis()
        })
        return undefined
      },
    }),
}

export const flushAll: Scenario<PlainStage> = {
  name: 'flushall',
  title: '`FLUSHALL`',
  play: (stage) =>
    underLoad(stage, {
      isHarmless: true,
      async interfere(act, { keys }, lift) {
        const before = [...keys]
        await act.recorder.losing('forgot', () => stage.redis.cli('FLUSHALL'))
        lift()
        await audit(loadOptions(stage, act), before)
        return { notes: [`none of the ${before.length} keys from before was good afterwards`] }
      },
    }),
}

const FLUSHES = 5

export const scriptFlush: Scenario<PlainStage> = {
  name: 'script flush',
  title: `\`SCRIPT FLUSH\`, ${FLUSHES} times`,
  play: (stage) =>
    underLoad(stage, {
      isHarmless: true,
      async interfere({ recorder }) {
        const known = recorder.calls.length
        for (let i = 0; i < FLUSHES; i += 1) {
          await stage.redis.cli('SCRIPT', 'FLUSH')
          await pause((stage.scale.faultSeconds * 1000) / FLUSHES)
        }
        const calls = recorder.calls.slice(known)
        return { faults: hastyRefusals({ calls, patience: LIMITS.timeoutSeconds * 1000 }) }
      },
    }),
}

export const fullMemory: Scenario<PlainStage> = {
  name: 'maxmemory',
  title: 'Redis at `maxmemory`',
  play: (stage) =>
    underLoad(stage, {
      async interfere(act, { keys }) {
        const { recorder } = act
        await stage.redis.cli('CONFIG', 'SET', 'maxmemory', '500000')
        const known = recorder.calls.length
        // Keys that the load has left alone, or has done with: the former must be good.
        await audit(
          loadOptions(stage, act),
          keys.filter(({ holder }) => !holder.isBound),
        )
        await pause(stage.scale.faultSeconds * 1000)
        const during = recorder.calls.slice(known)
        await stage.redis.cli('CONFIG', 'SET', 'maxmemory', '0')
        const redeemed = during.filter((call) => isRedemption(call) && isSuccess(call)).length
        const refused = during.filter(({ verb, status }) => verb === 'issue' && status === 503).length
        const notes = [`${redeemed} keys were redeemed meanwhile`]
        return {
          notes,
          faults: redeemed > 0 && refused > 0 ? [] : ['it was not full, or let nothing be redeemed'],
        }
      },
    }),
}
