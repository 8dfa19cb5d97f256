import { MOST_NETWORKS, type NotedPresentation } from '../../ports/monitoring-store.js'
import { call, entryOf, hundred, recorded, tally } from './calls.js'
import { ODD_TEXTS } from './monitoring.js'
import { PLENTY, type StoreTest } from './setup.js'

const noted = (networks: number): NotedPresentation => ({ outcome: 'noted', networks })
const known = (networks: number): NotedPresentation => ({ outcome: 'known', networks })
const UNKNOWN: NotedPresentation = { outcome: 'unknown', networks: 0 }

/** An entry knows where its key was issued to, and where it was presented from. */
export function testPresentations(test: StoreTest): void {
  testIssuance(test)
  testNetworks(test)
  testConcurrency(test)
  testUnknown(test)
  testHistories(test)
}

function testIssuance(test: StoreTest): void {
  const seen = [{ issuedTo: '2001:db8:1:2::/64' }, { issuedToAgent: 'a-digest' }]
  for (const members of [...seen, { issuedTo: '192.0.2.0/24', issuedToAgent: 'a-digest' }]) {
    test(`answers ${Object.keys(members).join(' and ')} of a record unchanged`, async ({ store, key }) => {
      const given = key('key', members)
      await store.record(given, PLENTY)
      expect(await store.find(given)).toEqual(entryOf(given))
      expect(await store.notePresentation(given, '198.51.100.0/24')).toEqual(noted(1))
      expect(await store.find(given)).toEqual({ ...entryOf(given), networks: ['198.51.100.0/24'] })
    })
  }
  for (const text of ODD_TEXTS) {
    test(`gives back ${JSON.stringify(text)} as network and as agent`, async ({ store, key }) => {
      const given = key('key', { issuedTo: text, issuedToAgent: text })
      await store.record(given, PLENTY)
      const answers = [text, `${text} `, text].map((network) => store.notePresentation(given, network))
      expect(await Promise.all(answers)).toEqual([noted(1), noted(2), known(2)])
      expect(await store.find(given)).toEqual({ ...entryOf(given), networks: [text, `${text} `] })
    })
  }
}

function testNetworks(test: StoreTest): void {
  test('notes each network once, in order', async (setup) => {
    const key = await recorded(setup)
    const answers: NotedPresentation[] = []
    for (const network of ['b', 'a', 'b', 'a', 'c'])
      answers.push(await setup.store.notePresentation(key, network))
    expect(answers).toEqual([noted(1), noted(2), known(2), known(2), noted(3)])
    expect((await setup.store.find(key))?.networks).toEqual(['b', 'a', 'c'])
  })
  test(`keeps ${MOST_NETWORKS} networks, and answers full to another one`, async (setup) => {
    const key = await recorded(setup, [], { issuedTo: '192.0.2.0/24' })
    const networks = Array.from({ length: MOST_NETWORKS }, (_, i) => `2001:db8:${i}:2222::/64`)
    for (const [i, network] of networks.entries())
      expect(await setup.store.notePresentation(key, network)).toEqual(noted(i + 1))
    const full = { outcome: 'full', networks: MOST_NETWORKS }
    expect(await setup.store.notePresentation(key, '192.0.2.0/24')).toEqual(full)
    expect(await setup.store.notePresentation(key, networks[7] ?? '')).toEqual(known(MOST_NETWORKS))
    expect((await setup.store.find(key))?.networks).toEqual(networks)
  })
}

function testConcurrency(test: StoreTest): void {
  test('notes one network for exactly one of 100 concurrent calls', async (setup) => {
    const key = await recorded(setup)
    const answers = await hundred(() => setup.store.notePresentation(key, 'a'))
    expect(tally(answers.map(({ outcome }) => outcome))).toEqual({ noted: 1, known: 99 })
    expect(answers.every(({ networks }) => networks === 1)).toBe(true)
  })
  test(`notes exactly ${MOST_NETWORKS} of 100 concurrent networks`, async (setup) => {
    const key = await recorded(setup)
    const answers = await hundred((i) => setup.store.notePresentation(key, `${i}`))
    const outcomes = tally(answers.map(({ outcome }) => outcome))
    expect(outcomes).toEqual({ noted: MOST_NETWORKS, full: 100 - MOST_NETWORKS })
    for (const { outcome, networks } of answers) if (outcome === 'full') expect(networks).toBe(MOST_NETWORKS)
  })
  test('gives concurrent new networks of one key the counts from 1 on, each one once', async (setup) => {
    const key = await recorded(setup, [], { issuedTo: '192.0.2.0/24' })
    const networks = Array.from({ length: MOST_NETWORKS }, (_, i) => `198.51.${i}.0/24`)
    const answers = await Promise.all(networks.map((one) => setup.store.notePresentation(key, one)))
    expect(answers.map((answer) => answer.outcome)).toEqual(networks.map(() => 'noted'))
    const counts = answers.map((answer) => answer.networks).sort((one, other) => one - other)
    expect(counts).toEqual(networks.map((_, i) => i + 1))
  })
}

function testUnknown(test: StoreTest): void {
  test('answers unknown for an unknown key and for an expired one', async (setup) => {
    const brief = await recorded(setup, [], { lifetimeSeconds: 2 })
    expect(await setup.store.notePresentation(setup.key('other'), 'a')).toEqual(UNKNOWN)
    await setup.store.notePresentation(brief, 'a')
    await setup.advance(3)
    expect(await setup.store.notePresentation(brief, 'b')).toEqual(UNKNOWN)
    await setup.store.record(setup.key(), PLENTY)
    expect(await setup.store.find(setup.key())).not.toHaveProperty('networks')
  })
}

function testHistories(test: StoreTest): void {
  for (const history of [
    ['redeem'],
    ['redeem', 'settle'],
    ['redeem', 'settle', 'revokeFamily'],
    ['revoke'],
  ] as const) {
    test(`changes nothing else of a key, after ${history.join(', ')}`, async (setup) => {
      const key = await recorded(setup, history)
      const before = await setup.store.find(key)
      expect(await setup.store.notePresentation(key, 'a')).toEqual(noted(1))
      expect(await setup.store.find(key)).toEqual({ ...before, networks: ['a'] })
    })
  }
  test('keeps the networks while the key moves', async (setup) => {
    const key = await recorded(setup)
    await setup.store.notePresentation(key, 'a')
    const answers = await call(setup.store, key, ['redeem', 'release', 'redeem', 'settle', 'revokeFamily'])
    expect(answers).toEqual(['reserved', 'released', 'reserved', 'settled', 'revoked'])
    expect((await setup.store.find(key))?.networks).toEqual(['a'])
  })
}
