/** How times, phones, money and distances are written in China, and in English for the same readers. */

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone

function lang(): string {
  return document.documentElement.lang || 'zh-CN'
}

const made = new Map<string, Intl.DateTimeFormat>()
function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = lang() + JSON.stringify(options)
  let known = made.get(key)
  if (!known) made.set(key, (known = new Intl.DateTimeFormat(lang(), { timeZone: zone, hour12: false, ...options })))
  return known
}

/** 14:05 */
export function clock(at: string | Date): string {
  return format({ hour: '2-digit', minute: '2-digit' }).format(new Date(at))
}

/** 11月30日 周一, Mon 30 Nov */
export function day(at: string | Date): string {
  return format({ month: 'short', day: 'numeric', weekday: 'short' }).format(new Date(at))
}

/** 今天 14:05 is told by the caller; this is 11月30日 14:05 */
export function moment(at: string | Date): string {
  return `${format({ month: 'short', day: 'numeric' }).format(new Date(at))} ${clock(at)}`
}

export function isToday(at: string | Date): boolean {
  return new Date(at).toDateString() === new Date().toDateString()
}

/** ¥1,234.50 from fen. */
export function money(fen: number): string {
  return new Intl.NumberFormat(lang(), { style: 'currency', currency: 'CNY', currencyDisplay: 'narrowSymbol' }).format(fen / 100)
}

/** 138 0013 8000; landlines as they come. */
export function phone(text: string): string {
  const bare = text.replace(/^\+?86(?=1\d{10}$)/, '')
  return /^1\d{10}$/.test(bare) ? `${bare.slice(0, 3)} ${bare.slice(3, 7)} ${bare.slice(7)}` : text
}

/** 850 m, 2.1 km, 12 km */
export function distance(metres: number): string {
  if (metres < 1000) return `${Math.round(metres / 10) * 10} m`
  return metres < 10_000 ? `${(metres / 1000).toFixed(1)} km` : `${Math.round(metres / 1000)} km`
}
