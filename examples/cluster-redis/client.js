const { ORIGIN, FLEET_SECRET } = process.env

function askForKey() {
  return fetch(`${ORIGIN}/oauth/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${btoa(`fleet:${FLEET_SECRET}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'devices:create' }),
  })
}

/** Sends 20 requests at the same time, and prints what each worker answered. */
async function send20(title, request) {
  const responses = await Promise.all(Array.from({ length: 20 }, request))
  const table = { 'worker 1': {}, 'worker 2': {} }
  for (const { status, headers } of responses) {
    const row = table[`worker ${headers.get('x-worker')}`]
    row[status] = (row[status] ?? 0) + 1
  }
  console.log(`\n${title}`)
  console.table(table, [...new Set(responses.map(({ status }) => status))].sort())
}

const { access_token: key } = await (await askForKey()).json()
const headers = { Authorization: `Bearer ${key}` }
await send20('20 requests redeem the same key', () => fetch(`${ORIGIN}/devices`, { method: 'POST', headers }))
await send20('20 requests ask for a key, and the limit allows 9 more in this minute', askForKey)
