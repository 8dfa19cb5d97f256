import {
  HELD,
  HOLDER,
  keyFor,
  OVER,
  PLENTY,
  rejection,
  stateOf,
  until,
  withServer,
  withStore,
} from '../support/redis/bench'
import { CLIENTS } from '../support/redis/clients'
import type { RedisServer } from '../support/redis/servers'

const now = () => Date.now() / 1000

/** Whether a replica has confirmed all changes of its primary. */
async function isInStep(primary: RedisServer, replica: RedisServer): Promise<boolean> {
  const [own, its] = await Promise.all([primary, replica].map(({ cli }) => cli('INFO', 'replication')))
  const [, done] = /master_repl_offset:(\d+)/.exec(own ?? '') ?? []
  const [, told] = /slave0:.*state=online,offset=(\d+)/.exec(own ?? '') ?? []
  return /master_link_status:up/.test(its ?? '') && Number(done) > 0 && done === told
}

describe('replicas', () => {
  for (const [name, connect] of Object.entries(CLIENTS)) {
    it(`that fall short refuse what must not get lost, and burn no key, by ${name}`, () =>
      withServer(['--repl-diskless-sync-delay', '0'], (primary) =>
        withServer(['--replicaof', `127.0.0.1 ${primary.port}`], (replica) =>
          withStore(
            primary,
            async (store) => {
              await primary.cli('SET', 'something', 'to replicate')
              await until(() => isInStep(primary, replica))
              for (const jti of ['key', 'other', 'third', 'held']) await store.record(keyFor(jti), PLENTY)
              expect(await store.redeem(keyFor('key'), 'one')).toBe('reserved')
              expect(await store.redeem(keyFor('held'), 'one', OVER)).toBe('reserved')
              expect(await replica.cli('KEYS', '*')).toContain('a-client:key')
              replica.signal('SIGSTOP')
              const short =
                /^Redis(: minReplicas is 1, but 0 replicas have confirmed| did not answer within 0.8 s)$/
              expect(await store.record(keyFor('new'), PLENTY)).toBe('recorded')
              for (const act of [
                () => store.settle(keyFor('key'), 'one', now() + 60),
                () => store.redeem(keyFor('other'), 'one'),
                () => store.redeem(keyFor('held'), 'two', HELD),
                () => store.revoke(keyFor('third')),
                () => store.useOnce('proof', now() + 60),
              ]) {
                expect((await rejection(act())).message).toMatch(short)
              }
              await until(async () => (await stateOf(store, 'other').catch(() => '')) === 'issued')
              replica.signal('SIGCONT')
              await until(() => isInStep(primary, replica))
              expect(await store.redeem(keyFor('other'), 'two')).toBe('reserved')
              expect(await store.redeem(keyFor('held'), 'three', HELD)).toBe('resumed')
              expect(await store.settle(keyFor('key'), 'one', now() + 60)).toBe('lost')
              expect(await store.revoke(keyFor('third'))).toBe('unchanged')
              const bound = { issuedBefore: 1, retainUntil: now() + 60 }
              expect(await store.revokeIssuedBefore(bound)).toBe('revoked')
            },
            { minReplicas: 1, timeoutSeconds: 0.8 },
            connect,
          ),
        ),
      ))
  }

  it('that take over refuse keys that they did not get, and know those that they got', () =>
    withServer(['--repl-diskless-sync-delay', '0'], (primary) =>
      withServer(['--replicaof', `127.0.0.1 ${primary.port}`], async (replica) => {
        await withStore(primary, async (store) => {
          await primary.cli('SET', 'something', 'to replicate')
          await until(() => isInStep(primary, replica))
          for (const jti of ['redeemed', 'stuck', 'issued']) await store.record(keyFor(jti), PLENTY)
          for (const jti of ['redeemed', 'stuck']) await store.redeem(keyFor(jti), 'one', OVER)
          await store.settle(keyFor('redeemed'), 'one', now() + 60, { outcome: 'sealed' })
          await until(() => isInStep(primary, replica))
          await replica.cli('REPLICAOF', 'NO', 'ONE')
          await store.record(keyFor('late'), PLENTY)
          await store.redeem(keyFor('late'), 'one', OVER)
          await store.settle(keyFor('late'), 'one', now() + 60, { outcome: 'lost' })
        })
        await primary.close()
        await withStore(replica, async (store) => {
          expect(await store.redeem(keyFor('late'), 'two', OVER)).toBe('unknown')
          expect(await store.recall(keyFor('late'), HOLDER)).toBeUndefined()
          expect(await store.redeem(keyFor('redeemed'), 'two', OVER)).toBe('redeemed')
          const known = { redemption: 'one', outcome: 'sealed' }
          expect(await store.recall(keyFor('redeemed'), HOLDER)).toEqual(known)
          expect(await store.redeem(keyFor('stuck'), 'two')).toBe('redeeming')
          expect(await store.redeem(keyFor('stuck'), 'two', OVER)).toBe('resumed')
          expect(await store.redeem(keyFor('issued'), 'two')).toBe('reserved')
        })
      }),
    ))
})
