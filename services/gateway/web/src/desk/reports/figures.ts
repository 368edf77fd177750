/** How a figure is written, and its name in the reader's language. */
import { api, whole, type Schemas } from '../../shared/api'
import { money } from '../../shared/figures'

export type Figure = Schemas['reporting__api__FigureView']

/** As people read it: `93.4 %`, `2.5 h`, `¥120.00`; a dash where there is nothing to measure. */
export function written(value: unknown, unit: string): string {
  if (value === null || value === undefined) return '—'
  if (typeof value !== 'number') return String(value)
  if (unit === 'share') return `${(value * 100).toFixed(1)} %`
  if (unit === 'fen') return money(value)
  if (unit === 'hours' && Math.abs(value) < 1) return Math.abs(value) < 1 / 60 ? `${Math.round(value * 3600)} s` : `${Math.round(value * 60)} min`
  const number = Number.isInteger(value) ? String(value) : value.toFixed(2)
  return { hours: `${value.toFixed(1)} h`, km: `${value.toFixed(1)} km`, stars: `${value.toFixed(1)} ★` }[unit] ?? number
}

export type Report = Schemas['ReportView']
type Query = { from?: string; to?: string; by?: string; period?: string }

/** The report as JSON; the route also writes it as files. */
export async function reportOf(name: string, query: Query = {}): Promise<Report> {
  return whole(await api.GET('/v1/reports/{name}', { params: { path: { name }, query: query as never } })) as Report
}
