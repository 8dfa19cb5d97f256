import { client, type RegistryTest } from './setup.js'

/** A client id is 1 to 255 printable ASCII characters. Each of these is another client. */
const ODD = [
  ...['lamp', 'Lamp', 'LAMP', ' lamp', 'lamp ', 'lamp  ', '0', '00', '-1', '1e0', 'null', 'undefined'],
  ...['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'then', '$where', '$ne', '_id', 'a.b', '.'],
  ...['..', '../lamp', '/', '\\', '%', '%25', '%2525', '_', 'l_mp', 'l%', '*', 'lamp*', '?', '[a-z]', '{}'],
  ...['{lamp}', '"', "'", "' OR '1'='1", ';--', '`', '~', 'a:b', 'a::b', ':', ':a', 'a:', 'keyv:lamp', ' '],
  ...['a\\u0000', '<a>', '&amp;', 'a+b', 'a b', 'a%20b', 'client-', 'x'.repeat(255), `${'x'.repeat(254)}y`],
]

/** Different ids are different clients. */
export function testIds(test: RegistryTest): void {
  test('tells all client ids apart', async ({ registry }) => {
    for (const id of ODD) expect([id, await registry.find(id)]).toEqual([id, undefined])
    for (const id of ODD) expect([id, await registry.save(client(id, 1, id))]).toEqual([id, true])
    for (const id of ODD) expect(await registry.find(id)).toEqual(client(id, 1, id))
    for (const id of ODD.slice(1)) expect([id, await registry.delete(id, 1)]).toEqual([id, true])
    for (const id of ODD.slice(1)) expect([id, await registry.find(id)]).toEqual([id, undefined])
    expect(await registry.find('lamp')).toEqual(client('lamp', 1, 'lamp'))
  })
}
