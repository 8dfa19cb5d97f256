const PAUSE_MILLISECONDS = 1000

/**
 * Reads the stream of the demo for as long as the page is open. `onOpen` is called before the first message of each
 * connection, and `onLoss` with a text when there is no connection.
 *
 * @param {{
 *   onMessage: (message: import('../messages').Message) => void,
 *   onLoss: (text: string) => void,
 * }} listener
 */
export async function follow({ onMessage, onLoss }) {
  for (;;) {
    try {
      const response = await fetch('api/stream')
      if (response.status === 403)
        return onLoss('Your link has expired. Open the link that the demo has printed.')
      await readLines(response, onMessage)
    } catch {
      // The demo has stopped, or starts again.
    }
    onLoss('The demo does not answer. Is it still running?')
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS))
  }
}

/**
 * @param {Response} response
 * @param {(message: import('../messages').Message) => void} onMessage
 */
async function readLines(response, onMessage) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { value, done } = (await reader?.read()) ?? { done: true }
    if (done || value === undefined) return
    const lines = (text + value).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) onMessage(JSON.parse(line))
  }
}
