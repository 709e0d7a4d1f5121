import { lookup as systemLookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** One address a name stands for, as `dns.lookup` gives it. */
export interface ResolvedAddress {
  address: string
  family: number
}

export interface AddressGuardOptions {
  /** Lets every address through; for development and tests. Default false. */
  allowPrivateAddresses?: boolean
  /** Host names and literal addresses let through whatever they resolve to; exact, in lower case. Default none. */
  allowedHosts?: readonly string[]
  /** Every address a host name stands for. Default the system's resolver. */
  resolve?: (hostname: string) => Promise<ResolvedAddress[]>
}

export interface AddressGuard {
  /** For a literal address, which is connected to without a look-up; a host name passes here and is judged in `lookup`. */
  permitsLiteral(hostname: string): boolean
  /**
   * Resolves once, judges every answer, and hands the judged addresses to the socket: between the check and the
   * connect there is no second look-up that a hostile name server could answer differently.
   */
  lookup: LookupFunction
}

/** A tenant's URL led to an address that is not on the public internet. */
export class AddressRefusedError extends Error {
  readonly code = 'ADDRESS_REFUSED'

  constructor() {
    super('the host resolves to an address that is not public')
  }
}

/** Azure's platform address looks public and is not: it answers for the machine's own metadata and DNS. */
const platformAddresses = new Set(['168.63.129.16'])
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * True for an address on the public internet. Everything else is refused by default: private, loopback, link-local
 * (with the clouds' 169.254.169.254), carrier-grade NAT, multicast, documentation, and every IPv6 form that carries an
 * IPv4 address inside (mapped ones are judged by that address, 6to4, Teredo and NAT64 are refused).
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address) // unwraps ::ffff:a.b.c.d
  if (parsed.range() !== 'unicast') return false
  if (parsed.kind() === 'ipv4') return !platformAddresses.has(parsed.toString())
  return parsed.match(globalUnicast)
}

/** The one gate for every request whose URL a tenant chose; `createGuardedAgent` puts it in front of each connect. */
export function createAddressGuard(options: AddressGuardOptions): AddressGuard {
  const allowedHosts = new Set(options.allowedHosts?.map((host) => host.toLowerCase()))
  const resolve = options.resolve ?? ((hostname: string) => systemLookup(hostname, { all: true }))
  const isExempt = (hostname: string) =>
    options.allowPrivateAddresses === true || allowedHosts.has(hostname.toLowerCase())

  const lookup: LookupFunction = (hostname, { all }, callback) => {
    const give = (addresses: ResolvedAddress[]) => {
      const first = addresses[0]
      if (!first) return callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '')
      // One private answer among public ones is an attack or a mistake, and the socket would try them all.
      if (!isExempt(hostname) && !addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(new AddressRefusedError(), '')
      }
      if (all) callback(null, addresses)
      else callback(null, first.address, first.family)
    }
    resolve(hostname).then(give, (error: NodeJS.ErrnoException) => callback(error, ''))
  }

  return {
    permitsLiteral: (hostname) => isIP(hostname) === 0 || isExempt(hostname) || isPublicAddress(hostname),
    lookup,
  }
}
