import { pause } from '../clock'
import type { SingleRedisDeployment } from '../deployment'
import { audit } from '../load'
import { type Call, isRedemption, isSuccess } from '../model/history'
import { LIMITS } from '../scale'
import { earlyRefusals, type Findings, loadOptions, type Scenario, underLoad } from '../scenario'

/** Kills Redis, and starts an empty one. */
export const redisCrash: Scenario<SingleRedisDeployment> = {
  name: 'redis killed',
  title: 'Redis is killed and restarted',
  run: (deployment) =>
    underLoad(deployment, {
      async inject({ recorder }) {
        await recorder.recordLoss('forgot', async () => {
          deployment.redis.signal('SIGKILL')
          await pause(deployment.scale.faultSeconds * 1000)
          await deployment.restartRedis()
        })
        return {}
      },
    }),
}

export const flushAll: Scenario<SingleRedisDeployment> = {
  name: 'flushall',
  title: 'Redis loses all data (`FLUSHALL`)',
  run: (deployment) =>
    underLoad(deployment, {
      redisStaysAvailable: true,
      async inject(session, { keys }, onEnd) {
        const before = [...keys]
        await session.recorder.recordLoss('forgot', () => deployment.redis.cli('FLUSHALL'))
        onEnd()
        await audit(loadOptions(deployment, session), before)
        return { notes: [`After the loss, the server refused all ${before.length} earlier keys`] }
      },
    }),
}

const FLUSHES = 5

export const scriptFlush: Scenario<SingleRedisDeployment> = {
  name: 'script flush',
  title: `Redis loses its scripts ${FLUSHES} times (\`SCRIPT FLUSH\`)`,
  run: (deployment) =>
    underLoad(deployment, {
      redisStaysAvailable: true,
      async inject({ recorder }) {
        const earlier = recorder.calls.length
        for (let i = 0; i < FLUSHES; i += 1) {
          await deployment.redis.cli('SCRIPT', 'FLUSH')
          await pause((deployment.scale.faultSeconds * 1000) / FLUSHES)
        }
        const calls = recorder.calls.slice(earlier)
        const storeTimeoutMilliseconds = LIMITS.timeoutSeconds * 1000
        return { failures: earlyRefusals({ calls, storeTimeoutMilliseconds }) }
      },
    }),
}

export const fullMemory: Scenario<SingleRedisDeployment> = {
  name: 'maxmemory',
  title: 'Redis is full (`maxmemory`)',
  run: (deployment) =>
    underLoad(deployment, {
      async inject(session, { keys }) {
        const { recorder } = session
        await deployment.redis.cli('CONFIG', 'SET', 'maxmemory', '500000')
        const earlier = recorder.calls.length
        // A full Redis must still redeem keys that are valid.
        await audit(
          loadOptions(deployment, session),
          keys.filter(({ owner }) => !owner.isBound),
        )
        await pause(deployment.scale.faultSeconds * 1000)
        const calls = recorder.calls.slice(earlier)
        await deployment.redis.cli('CONFIG', 'SET', 'maxmemory', '0')
        return fullMemoryFindings(calls)
      },
    }),
}

function fullMemoryFindings(calls: readonly Call[]): Findings {
  const redeemed = calls.filter((call) => isRedemption(call) && isSuccess(call)).length
  const refused = calls.filter(({ verb, status }) => verb === 'issue' && status === 503).length
  return {
    notes: [`While Redis was full, clients redeemed ${redeemed} keys`],
    failures: [
      ...(redeemed > 0 ? [] : ['no key was redeemed while Redis was full']),
      ...(refused > 0 ? [] : ['Redis was not full']),
    ],
  }
}
