/** Writes one element of DER with any tag and any content. */
export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content)
  const length: number[] = []
  for (let rest = bytes.length; rest > 0; rest >>= 8) length.unshift(rest & 0xff)
  const header = bytes.length < 0x80 ? [tag, bytes.length] : [tag, 0x80 | length.length, ...length]
  return Buffer.concat([Buffer.from(header), bytes])
}

export const sequence = (...content: readonly Uint8Array[]) => element(0x30, ...content)

export function text(value: string | Uint8Array, tag = 0x0c): Buffer {
  return element(tag, typeof value === 'string' ? Buffer.from(value) : value)
}

/** An object identifier from its dotted form. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt)
  const octets = [first * 40n + second, ...rest].flatMap((arc) => {
    const groups = [Number(arc & 0x7fn)]
    for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(0x80 | Number(left & 0x7fn))
    return groups
  })
  return element(0x06, Buffer.from(octets))
}
