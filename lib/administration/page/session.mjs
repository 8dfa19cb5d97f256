import { element } from './dom.mjs'

/** Removes everything that the page knows. Only a login brings it back. */
export function showEndOfSession() {
  document.title = 'Your session has ended'
  for (const dialog of document.querySelectorAll('dialog')) dialog.close()
  history.replaceState(null, '', location.pathname + location.search)
  const reload = element(
    'a',
    { class: 'button primary', href: location.pathname + location.search },
    'Reload the page',
  )
  document.body.replaceChildren(
    element(
      'main',
      { class: 'ended', id: 'main', tabindex: '-1' },
      element('h1', null, 'Your session has ended'),
      element('p', { role: 'alert' }, 'The page shows nothing any more. Log in again, and then reload it.'),
      reload,
    ),
  )
  reload.focus()
}
