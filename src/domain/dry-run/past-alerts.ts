import { type CompiledInhibition, inhibited, type KnownAlert, readAlerts, type Said } from '../inhibitions.ts'
import { type Alert, type CompiledSilence, type HeldBack, silenced } from '../silences.ts'

export interface PastAlerts {
  /** What holds an event back; each is to be asked, in the order in which they were accepted. */
  heldBack(alert: Alert, at: Date): HeldBack | undefined
}

/**
 * Silences as they held, and inhibitions over the alerts that the events themselves open and close: what was open before the
 * first of them is not known. Only alerts that are open are kept.
 */
export function createPastAlerts(
  silences: readonly CompiledSilence[],
  inhibitions: readonly CompiledInhibition[],
): PastAlerts {
  const open = new Map<string, Map<string, KnownAlert>>()
  const placeOf = (inhibitionId: string, key: string) => `${inhibitionId} ${key}`

  function note({ id, inhibition, key, alert, opens }: Said, at: Date): void {
    const place = placeOf(inhibition.id, key)
    const alerts = open.get(place) ?? new Map<string, KnownAlert>()
    if (opens) {
      const { openForMs } = inhibition
      const expiresAt = openForMs === undefined ? undefined : new Date(at.getTime() + openForMs)
      alerts.set(alert, { inhibitionId: inhibition.id, key, alert, marks: [{ id, opens }], expiresAt })
      open.set(place, alerts)
    } else {
      alerts.delete(alert)
      if (alerts.size === 0) open.delete(place)
    }
  }

  function inhibitedBy(alert: Alert, at: Date): HeldBack | undefined {
    const { said, asked } = readAlerts(inhibitions, [alert])
    for (const one of said) note(one, at)
    const known = asked.flatMap(({ inhibition, key }) => [...(open.get(placeOf(inhibition.id, key))?.values() ?? [])])
    return inhibited(asked, known, at).get(alert.id)
  }

  return {
    heldBack(alert, at) {
      const byAlert = inhibitions.length > 0 ? inhibitedBy(alert, at) : undefined
      const bySilence = silences.length > 0 ? silenced(silences, [alert], at).get(alert.id) : undefined
      return bySilence ?? byAlert
    },
  }
}
