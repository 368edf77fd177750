/** Who is signed in, in this tab and the next: a short token, and what gives the next one. */
import { computed, ref } from 'vue'

export type Role = 'customer' | 'agent' | 'dispatcher' | 'engineer' | 'manager' | 'auditor' | 'operator' | 'partner'

export interface Session {
  token: string
  /** Milliseconds since 1970, by this device's clock. */
  endsAt: number
  userId: string
  tenant: string
  role: Role
  personId: string
  name: string
  /** Of a guest: what gives a new token. */
  link?: string
}

interface Issued {
  token: string
  expires_in: number
  user_id: string
  tenant: string
  role: string
  person_id: string
  name: string
  link?: string
}

/** Renewed when so little of it is left. */
const EARLY_MS = 120_000

/** Each entry keeps its own session, so that a customer and a dispatcher can be looked at side by side. */
let place = 'session'
const kept = ref<Session | null>(null)

export const session = computed(() => kept.value)

export function openSession(entry: string): void {
  place = `fieldloop.${entry}.session`
  try {
    kept.value = JSON.parse(localStorage.getItem(place) ?? 'null')
  } catch {
    kept.value = null
  }
}

export function keep(next: Session | null): void {
  kept.value = next
  if (next) localStorage.setItem(place, JSON.stringify(next))
  else localStorage.removeItem(place)
}

export class NotSignedIn extends Error {}

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.title)
  }
}

/** What is wrong and what to do, in the reader's language (RFC 9457). */
export interface Problem {
  code: string
  title: string
  detail?: string
  remedy?: string
  facts?: Record<string, unknown>
  errors?: { field: string; problem: string; remedy?: string }[]
}

async function ask(path: string, body: unknown, token?: string): Promise<Session> {
  const headers: Record<string, string> = { 'Content-Type': 'application/json', 'Accept-Language': document.documentElement.lang }
  if (token) headers.Authorization = `Bearer ${token}`
  const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) })
  const told = await answer.json()
  if (!answer.ok) throw new Refused(answer.status, told)
  const issued: Issued = told
  return {
    token: issued.token,
    endsAt: Date.now() + issued.expires_in * 1000,
    userId: issued.user_id,
    tenant: issued.tenant,
    role: issued.role as Role,
    personId: issued.person_id,
    name: issued.name,
    link: issued.link,
  }
}

export async function signIn(user: string, password: string): Promise<Session> {
  const next = await ask('/v1/sessions', { user, password })
  keep(next)
  return next
}

/** With what the company's OpenID Connect provider has sent back. */
export async function comeBack(code: string, state: string): Promise<Session> {
  const next = await ask('/v1/sessions/oidc', { code, state })
  keep(next)
  return next
}

/** Come in without an account. */
export async function comeIn(): Promise<Session> {
  const next = await ask('/v1/sessions/guests', {})
  keep(next)
  return next
}

export async function followLink(link: string): Promise<Session> {
  const next = { ...(await ask('/v1/sessions/links', { link })), link }
  keep(next)
  return next
}

let renewing: Promise<Session> | null = null

/** A token that is good for a while. Throws NotSignedIn where there is none to be had. */
export async function token(): Promise<string> {
  const now = kept.value
  if (!now) throw new NotSignedIn()
  if (now.endsAt - Date.now() > EARLY_MS) return now.token
  renewing ??= renewed(now).finally(() => (renewing = null))
  return (await renewing).token
}

async function renewed(old: Session): Promise<Session> {
  try {
    const next = old.link
      ? { ...(await ask('/v1/sessions/links', { link: old.link })), link: old.link }
      : await ask('/v1/sessions/renewals', {}, old.token)
    keep(next)
    return next
  } catch (refused) {
    // Without a network the old one is tried as long as it is good; refused is refused.
    if (!(refused instanceof Refused) || refused.status >= 500) {
      if (old.endsAt > Date.now()) return old
      throw refused
    }
    keep(null)
    throw new NotSignedIn()
  }
}
