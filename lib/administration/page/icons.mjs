const SVG = 'http://www.w3.org/2000/svg'

/** Shapes on a grid of 20. */
const SHAPES = {
  ok: ['M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16', 'm6.5 10.2 2.4 2.4 4.8-5'],
  high: ['M6.7 2h6.6L18 6.7v6.6L13.3 18H6.7L2 13.3V6.7z', 'M10 6v4.7', 'M10 13.7v.1'],
  warning: ['M10 2.5 18.5 17h-17z', 'M10 8v4', 'M10 14.5v.1'],
  notice: ['M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16', 'M10 9.2v4.6', 'M10 6.3v.1'],
  info: ['M10 7a3 3 0 1 0 0 6 3 3 0 0 0 0-6'],
  lock: ['M4.5 9h11v8.5h-11z', 'M6.5 9V6.5a3.5 3.5 0 0 1 7 0V9'],
  key: ['M6.5 9.5a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6', 'M9.3 10.7 16.5 3.5', 'm13.5 6.5 2.7 2.7'],
  done: ['m4 10.5 4 4 8-9'],
  left: ['M4.5 10h11'],
  empty: ['M3 11.5 5.5 4h9L17 11.5V16H3z', 'M3 11.5h4l1 2h4l1-2h4'],
}

/** @typedef {keyof typeof SHAPES} IconName */

/**
 * A drawing that says nothing which the text beside it does not say.
 *
 * @param {IconName} shape
 */
export function icon(shape) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', '0 0 20 20')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  for (const each of SHAPES[shape]) {
    const path = document.createElementNS(SVG, 'path')
    path.setAttribute('d', each)
    svg.append(path)
  }
  return svg
}

/**
 * A piece of a line of the chart.
 *
 * @param {string} look
 * @param {readonly number[]} dash
 */
export function line(look, dash) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', '0 0 26 4')
  svg.setAttribute('class', `line ${look}`)
  svg.setAttribute('aria-hidden', 'true')
  const path = document.createElementNS(SVG, 'path')
  path.setAttribute('d', 'M0 2h26')
  path.setAttribute('stroke-dasharray', dash.join(' '))
  svg.append(path)
  return svg
}
