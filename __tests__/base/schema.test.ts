import { describeSecret, newFaults } from '../../lib/base/faults.js'
import {
  aFunction,
  flag,
  list,
  object,
  oneOf,
  type Reader,
  required,
  rule,
  seconds,
  text,
  texts,
  whole,
} from '../../lib/base/schema.js'

interface Lamp {
  readonly name: string
  readonly watts?: number
  readonly color?: 'red' | 'green'
  readonly rooms?: readonly string[]
  readonly secret?: string
  readonly switch?: Switch
}

interface Switch {
  readonly isOn?: boolean
  readonly toggle?: () => void
  readonly delay?: number
}

const readLamp = object<Lamp>({
  name: required(text('a name', /^[a-z]+$/)),
  watts: whole(1, 100, ' watts'),
  color: oneOf(['red', 'green']),
  rooms: texts('a room', (room) => room !== '', 1),
  secret: rule('a secret', (value) => value === 'open sesame', describeSecret),
  switch: object<Switch>({ isOn: flag, toggle: aFunction(), delay: seconds(0.1, 2) }),
})

function read<T>(reader: Reader<T>, value: unknown, path = 'lamp') {
  const faults = newFaults()
  return { value: reader(value, path, faults), faults: faults.list }
}

describe('the reader of an object', () => {
  it('returns a frozen copy of a valid value, without undefined members', () => {
    const rooms = ['hall']
    const { value, faults } = read(readLamp, {
      name: 'a',
      rooms,
      watts: undefined,
      switch: { isOn: true },
    })
    rooms.push('attic')
    expect(faults).toEqual([])
    expect(value).toStrictEqual({ name: 'a', rooms: ['hall'], switch: { isOn: true } })
    expect([value, value.rooms, value.switch].every(Object.isFrozen)).toBe(true)
  })

  it('reports all faults together, with their paths', () => {
    const wrong = {
      nam: 'a',
      watts: 0,
      color: 'blue',
      rooms: ['hall', '', 7],
      secret: 'hunter2',
      switch: { isOn: 1, toggle: 'x', delay: 3 },
    }
    expect(read(readLamp, wrong)).toEqual({
      value: { rooms: ['hall'], switch: {} },
      faults: [
        'lamp.nam: expected a known option; did you mean name? got an unknown name',
        'lamp.name: expected a name, got undefined',
        'lamp.watts: expected a whole number from 1 to 100 watts, got 0',
        'lamp.color: expected red or green, got "blue"',
        'lamp.rooms[1]: expected a room, got ""',
        'lamp.rooms[2]: expected a room, got 7',
        'lamp.secret: expected a secret, got a string of 7 characters',
        'lamp.switch.isOn: expected true or false, got 1',
        'lamp.switch.toggle: expected a function, got "x"',
        'lamp.switch.delay: expected a number of seconds from 0.1 to 2, got 3',
      ],
    })
  })

  it('names members without a prefix where there is no path', () => {
    expect(read(readLamp, {}, '').faults).toEqual(['name: expected a name, got undefined'])
  })

  it.each([undefined, null, 'a', 7, ['a']])('refuses %j, which is no object, in one fault', (value) => {
    expect(read(readLamp, value).faults).toEqual([expect.stringMatching(/^lamp: expected an object, got /)])
  })

  it('calls the reader of an optional member only when it is present', () => {
    const { faults } = read(object<{ a?: string }>({ a: text('a text', /./) }), {})
    expect(faults).toEqual([])
  })
})

describe('the reader of a list', () => {
  const names = list('1 or 2 names', text('a name', /^[a-z]+$/), { least: 1, most: 2 })

  it.each([[[]], [['a', 'b', 'c']], ['a'], [{ 0: 'a', length: 1 }], [null]])('refuses %j', (value) => {
    expect(read(names, value, 'names').faults).toEqual([
      expect.stringMatching(/^names: expected 1 or 2 names, got /),
    ])
  })

  it('notes holes', () => {
    expect(read(names, Array(2), 'names').faults).toHaveLength(2)
  })
})

describe('a table of readers', () => {
  it('does not compile when it differs from the type', () => {
    const mistakes = [
      // @ts-expect-error a member is missing
      object<{ a?: string; b?: string }>({ a: text('a', /a/) }),
      // @ts-expect-error a member is unknown
      object<{ a?: string }>({ a: text('a', /a/), b: text('b', /b/) }),
      // @ts-expect-error a required member has the reader of an optional one
      object<{ a: string }>({ a: text('a', /a/) }),
      // @ts-expect-error an optional member has the reader of a required one
      object<{ a?: string }>({ a: required(text('a', /a/)) }),
      // @ts-expect-error a member has the reader of another type
      object<{ a?: string }>({ a: flag }),
      // @ts-expect-error a choice is unknown
      object<{ a?: 'x' }>({ a: oneOf(['x', 'y']) }),
    ]
    expect(mistakes).toHaveLength(6)
  })
})
