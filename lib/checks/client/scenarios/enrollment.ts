import { inGroup } from '../../check.js'
import { mustEnroll, mustKeepSecrets } from '../observation.js'
import type { Scenario } from '../scenario.js'

/** Nothing goes wrong. */
export const ENROLLMENT = inGroup<Scenario>({ group: 'Enrollment' }, [
  {
    id: 'client-healthy',
    title: 'the client enrolls the device once',
    fix: 'Read the environment variables ISSUER, CLIENT_ID, CLIENT_SECRET, SUBJECT, SCOPE and STATE. Exit with 0 only after the issuer has bound the public key.',
    judge(seen) {
      const faults = mustEnroll(seen)
      // Without an enrollment, client-secrets does not run.
      return faults.length === 0 ? [] : [...faults, ...mustKeepSecrets(seen)]
    },
  },
  {
    id: 'client-secrets',
    title: 'the client does not print secrets, or put them in a URL or in arguments',
    fix: 'Send secrets in headers and bodies only, and log none of them.',
    needs: ['client-healthy'],
    judge: mustKeepSecrets,
  },
  {
    id: 'client-state',
    title: 'the client saves its secrets in files that only their owner can read',
    fix: 'Create the files with mode 0600, or set the umask to 077 before you create them.',
    needs: ['client-healthy'],
    judge: ({ openFiles }) => openFiles.map((name) => `others can read the file ${name} beside STATE`),
  },
  {
    id: 'client-second-start',
    title: 'the client does not ask for a key if it is started again with the same state',
    fix: 'At each start, read the saved state before you send a request. If the device is enrolled, send no request for a key, and exit with 0.',
    needs: ['client-healthy'],
    experiment: () => ({ starts: 2 }),
    judge(seen) {
      const later = seen.exchanges
        .slice(seen.marks[1])
        .filter(({ request }) => request.endpoint !== 'metadata')
      const requests = later.map(({ request }) => request.url.replace(/\?.*/s, ''))
      const again = [...new Set(requests)].join(', ')
      return [...mustEnroll(seen), ...(again === '' ? [] : [`its second start sent requests to ${again}`])]
    },
  },
])
