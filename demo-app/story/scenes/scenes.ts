import type { Scene } from '../scene'
import { CLEARTEXT } from './cleartext'
import { ENROLL } from './enroll'
import { FORGE } from './forge'
import { GUESS } from './guess'
import { LOSE } from './lose'
import { NETWORK } from './network'
import { REPLAY } from './replay'
import { STEAL } from './steal'

/** All scenes, in the order in which they make a story. */
export const SCENES: readonly Scene[] = [ENROLL, STEAL, REPLAY, LOSE, CLEARTEXT, FORGE, GUESS, NETWORK]
