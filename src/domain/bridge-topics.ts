/** What a request topic carries. */
export type BridgeKind = 'request' | 'event'

/** Topics that are read alike: a name, or a pattern. */
export interface BridgeTopicRule {
  /** As it was written, for people. */
  pattern: string
  kind: BridgeKind
  /** Whoever writes there acts for this tenant, and for no other. */
  tenantId?: string
}

export interface BridgeTopic {
  topic: string
  kind: BridgeKind
  tenantId?: string
  /** What `{domain}` stood for. */
  domain?: string
}

const entry = /^([A-Za-z0-9._*{}-]+)=(request|event)(?:@([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}))?$/

/** Reads `name=kind` or `name=kind@tenant`; undefined where it is neither. `*` and `{domain}` stand for one or more characters. */
export function parseBridgeTopic(text: string): BridgeTopicRule | undefined {
  const [, pattern, kind, tenantId] = entry.exec(text) ?? []
  if (!pattern || /[{}]/.test(pattern.replace('{domain}', ''))) return undefined
  return { pattern, kind: kind as BridgeKind, tenantId: tenantId?.toLowerCase() }
}

/** What a topic is to the bridge, by the first rule that fits; undefined: nothing. */
export function matchBridgeTopic(topic: string, rules: readonly BridgeTopicRule[]): BridgeTopic | undefined {
  for (const { pattern, kind, tenantId } of rules) {
    const found = expressionOf(pattern).exec(topic)
    if (found) return { topic, kind, tenantId, domain: found.groups?.domain }
  }
  return undefined
}

const expressions = new Map<string, RegExp>()
function expressionOf(pattern: string): RegExp {
  let expression = expressions.get(pattern)
  if (!expression) {
    const text = pattern
      .replaceAll(/[.*{}-]/g, (sign) => `\\${sign}`)
      .replaceAll('\\*', '[A-Za-z0-9._-]+')
      .replace('\\{domain\\}', '(?<domain>[A-Za-z0-9._-]+)')
    expression = new RegExp(`^${text}$`)
    expressions.set(pattern, expression)
  }
  return expression
}
