/** What suppliers and engineers are paid, and by which terms. */
import type { Schemas } from '../../shared/api'

export type Share = Schemas['ShareView']
export type Sheet = Schemas['SheetView']
export type Terms = Schemas['TermsView']
export type Payee = Share['payee']

/** Of all who have no terms of their own. */
export const STANDARD = 'standard'

/** From what somebody writes in yuan. */
export function fenOf(yuan: number): number {
  return Math.round(yuan * 100)
}

export function termsOf(all: Terms[], share: Share): Terms | null {
  return all.find((one) => one.payee === share.payee && one.payee_id === share.terms_id && one.version === share.terms_version) ?? null
}

/** The parts that the amount is the sum of; what is nothing is left out. */
export function partsOf(share: Share, terms: Terms | null): { name: 'visit' | 'labour' | 'parts' | 'travel' | 'adjusted'; fen: number; percent: number | null }[] {
  const parts = [
    { name: 'visit' as const, fen: share.visit_fen, percent: null },
    { name: 'labour' as const, fen: share.labour_fen, percent: terms?.labour_percent ?? null },
    { name: 'parts' as const, fen: share.parts_fen, percent: terms?.parts_percent ?? null },
    { name: 'travel' as const, fen: share.travel_fen, percent: terms?.travel_percent ?? null },
    { name: 'adjusted' as const, fen: share.adjusted_fen, percent: null },
  ]
  return parts.filter((one) => one.fen !== 0)
}
