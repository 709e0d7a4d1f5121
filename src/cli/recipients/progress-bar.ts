const cells = 24

/** `██████░░░░ 42 %`: how much of a whole is done. */
export function progressBar(done: number, whole: number): string {
  const share = whole > 0 ? Math.min(done / whole, 1) : 1
  const full = Math.round(share * cells)
  return `${'█'.repeat(full)}${'░'.repeat(cells - full)} ${Math.floor(share * 100)} %`
}

/** `1 min 5 s`, for people. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  return whole < 3_600
    ? `${Math.trunc(whole / 60)} min ${whole % 60} s`
    : `${Math.trunc(whole / 3_600)} h ${Math.trunc((whole % 3_600) / 60)} min`
}
