/** A long work of the server, told as it goes: `progress` now and then, at last `report`, or `refused` with the reason. */
import { Refused, token } from './session'

/** Gives the report. Throws Refused for a refusal before it began, Error with the reason for one after; ends with `signal`. */
export async function reportOf(path: string, progress: (events: number) => void, signal: AbortSignal): Promise<unknown> {
  const headers = { Authorization: `Bearer ${await token()}`, Accept: 'text/event-stream', 'Accept-Language': document.documentElement.lang }
  const answer = await fetch(path, { headers, signal })
  if (!answer.ok || !answer.body) {
    const problem = await answer.json().catch(() => ({ code: 'server.failed', title: `HTTP ${answer.status}` }))
    throw new Refused(answer.status, problem)
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) throw new Error('cut')
    text += value
    const parts = text.split('\n\n')
    text = parts.pop() ?? ''
    for (const part of parts) {
      const rows = part.split('\n')
      const name = rows.find((row) => row.startsWith('event: '))?.slice(7)
      const data = rows.find((row) => row.startsWith('data: '))?.slice(6)
      if (!name || data === undefined) continue
      const said: unknown = JSON.parse(data)
      if (name === 'progress') progress(Number(said))
      else if (name === 'report') return said
      else if (name === 'refused') throw new Error(String(said))
    }
  }
}
