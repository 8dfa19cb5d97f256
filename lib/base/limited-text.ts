/**
 * Reads a stream as text.
 *
 * @param name names the text in the error, for example `the answer`
 * @throws Error if it has too many bytes. The rest is not read
 */
export async function limitedText(
  name: string,
  stream: AsyncIterable<Uint8Array>,
  mostBytes: number,
): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of stream) {
    bytes += part.length
    if (bytes > mostBytes) throw new Error(`${name} has more than ${mostBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
