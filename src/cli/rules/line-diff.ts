/** A line that both texts have, or one of them. */
export type DiffLine = { mark: ' ' | '-' | '+'; text: string }

/** What must go and come to make one text of another, line by line; for texts of some hundred lines. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [old, fresh] = [before.split('\n'), after.split('\n')]
  // common[i][j]: how many lines the rests from i and j on have in common.
  const common = Array.from({ length: old.length + 1 }, () => new Uint32Array(fresh.length + 1))
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = fresh.length - 1; j >= 0; j--) {
      common[i]![j] =
        old[i] === fresh[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!)
    }
  }
  const lines: DiffLine[] = []
  let [i, j] = [0, 0]
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      lines.push({ mark: ' ', text: old[i++]! })
      j++
    } else if (j >= fresh.length || (i < old.length && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      lines.push({ mark: '-', text: old[i++]! })
    } else {
      lines.push({ mark: '+', text: fresh[j++]! })
    }
  }
  return lines
}
