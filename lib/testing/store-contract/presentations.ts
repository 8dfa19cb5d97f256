import { MOST_NETWORKS } from '../../ports/monitoring-store.js'
import { call, entryOf, hundred, recorded, tally } from './calls.js'
import { ODD_TEXTS } from './monitoring.js'
import { PLENTY, type StoreTest } from './setup.js'

/** An entry knows where its key was issued to, and where it was presented from. */
export function testPresentations(test: StoreTest): void {
  testIssuance(test)
  testNetworks(test)
  testHistories(test)
}

function testIssuance(test: StoreTest): void {
  const seen = [{ issuedTo: '2001:db8:1:2::/64' }, { issuedToAgent: 'a-digest' }]
  for (const members of [...seen, { issuedTo: '192.0.2.0/24', issuedToAgent: 'a-digest' }]) {
    test(`answers ${Object.keys(members).join(' and ')} of a record unchanged`, async ({ store, key }) => {
      const given = key('key', members)
      await store.record(given, PLENTY)
      expect(await store.find(given)).toEqual(entryOf(given))
      expect(await store.notePresentation(given, '198.51.100.0/24')).toBe('noted')
      expect(await store.find(given)).toEqual({ ...entryOf(given), networks: ['198.51.100.0/24'] })
    })
  }
  for (const text of ODD_TEXTS) {
    test(`gives back ${JSON.stringify(text)} as network and as agent`, async ({ store, key }) => {
      const given = key('key', { issuedTo: text, issuedToAgent: text })
      await store.record(given, PLENTY)
      const answers = [text, `${text} `, text].map((network) => store.notePresentation(given, network))
      expect(await Promise.all(answers)).toEqual(['noted', 'noted', 'known'])
      expect(await store.find(given)).toEqual({ ...entryOf(given), networks: [text, `${text} `] })
    })
  }
}

function testNetworks(test: StoreTest): void {
  test('notes each network once, in order', async (setup) => {
    const key = await recorded(setup)
    const answers: string[] = []
    for (const network of ['b', 'a', 'b', 'a', 'c'])
      answers.push(await setup.store.notePresentation(key, network))
    expect(answers).toEqual(['noted', 'noted', 'known', 'known', 'noted'])
    expect((await setup.store.find(key))?.networks).toEqual(['b', 'a', 'c'])
  })
  test(`keeps ${MOST_NETWORKS} networks, and answers full to another one`, async (setup) => {
    const key = await recorded(setup, [], { issuedTo: '192.0.2.0/24' })
    const networks = Array.from({ length: MOST_NETWORKS }, (_, i) => `2001:db8:${i}:2222::/64`)
    for (const network of networks) expect(await setup.store.notePresentation(key, network)).toBe('noted')
    expect(await setup.store.notePresentation(key, '192.0.2.0/24')).toBe('full')
    expect(await setup.store.notePresentation(key, networks[7] ?? '')).toBe('known')
    expect((await setup.store.find(key))?.networks).toEqual(networks)
  })
  test('notes one network for exactly one of 100 concurrent calls', async (setup) => {
    const key = await recorded(setup)
    const answers = await hundred(() => setup.store.notePresentation(key, 'a'))
    expect(tally(answers)).toEqual({ noted: 1, known: 99 })
  })
  test(`notes exactly ${MOST_NETWORKS} of 100 concurrent networks`, async (setup) => {
    const key = await recorded(setup)
    const answers = await hundred((i) => setup.store.notePresentation(key, `${i}`))
    expect(tally(answers)).toEqual({ noted: MOST_NETWORKS, full: 100 - MOST_NETWORKS })
  })
  test('answers unknown for an unknown key and for an expired one', async (setup) => {
    const brief = await recorded(setup, [], { lifetimeSeconds: 2 })
    expect(await setup.store.notePresentation(setup.key('other'), 'a')).toBe('unknown')
    await setup.store.notePresentation(brief, 'a')
    await setup.advance(3)
    expect(await setup.store.notePresentation(brief, 'b')).toBe('unknown')
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
      expect(await setup.store.notePresentation(key, 'a')).toBe('noted')
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
