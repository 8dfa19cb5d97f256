import { postForm } from '../../requests/calls'
import { THIEF } from '../actors'
import type { Scene } from '../scene'

/** As many as the rule `client_guessing` needs. */
const GUESSES = 10

export const GUESS: Scene = {
  id: 'guess',
  title: 'Guess the secret',
  shows: 'A thief tries ten secrets for the client that asks for keys.',
  happened:
    'The server refused all of them, and opened a finding at the tenth. It did not lock the client: it has only the word ' +
    'of a stranger that the client is attacked.',
  matters:
    'If wrong secrets locked a client, everybody could lock out your devices. Nobody can guess a random secret, so a ' +
    'finding is enough: now you would block the address.',
  rules: ['client_guessing'],
  beats: () => {
    let guess = 0
    return [
      {
        call: postForm('/oauth/token', ({ clientId }) => {
          guess += 1
          const secret = `secret-${guess}`
          return { grant_type: 'client_credentials', client_id: clientId, client_secret: secret }
        }),
        status: 401,
        members: { error: 'invalid_client' },
        event: 'request.refused',
        times: GUESSES,
        by: THIEF,
        says: `tries ${GUESSES} secrets.`,
      },
    ]
  },
}
