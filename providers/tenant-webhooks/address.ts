import { BlockList, isIP } from 'node:net';

/** Addresses that are not for the public internet. Source: IANA's special-purpose address registries (RFC 6890). */
const special = new BlockList();
for (const subnet of [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
]) {
  addSubnet(special, subnet, 'ipv4');
}
// Inside of global unicast: protocol assignments with Teredo, documentation, 6to4 (which hides an IPv4 address).
for (const subnet of ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']) {
  addSubnet(special, subnet, 'ipv6');
}
const globalUnicast = new BlockList();
addSubnet(globalUnicast, '2000::/3', 'ipv6');
const mappedIpv4 = new BlockList();
addSubnet(mappedIpv4, '::ffff:0:0/96', 'ipv6');
const loopback = new BlockList();
addSubnet(loopback, '127.0.0.0/8', 'ipv4');
loopback.addAddress('::1', 'ipv6');

function addSubnet(list: BlockList, subnet: string, family: 'ipv4' | 'ipv6'): void {
  const [network = '', prefix] = subnet.split('/');
  list.addSubnet(network, Number(prefix), family);
}

/** True for an address anyone on the internet can have. IPv6 that stands for an IPv4 address is taken as that address. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !special.check(address, 'ipv4');
    case 6:
      // A zone (`%eth0`) belongs to link-local addresses only.
      if (address.includes('%')) return false;
      return (
        (globalUnicast.check(address, 'ipv6') || mappedIpv4.check(address, 'ipv6')) &&
        !special.check(address, 'ipv6')
      );
    default:
      return false;
  }
}

function isLoopbackAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !address.includes('%') && loopback.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Whether a webhook may go to this address: to public ones by https; with a test key also to this machine. */
export function mayConnect(address: string, protocol: string, livemode: boolean): boolean {
  if (!livemode && isLoopbackAddress(address)) return true;
  return protocol === 'https:' && isPublicAddress(address);
}

/**
 * Why a webhook may not be sent to this URL; undefined when it may, as far as the text tells: what a name leads to is
 * checked when connecting. Never quotes the URL, which may hold a secret.
 */
export function urlProblem(text: string, livemode: boolean): string | undefined {
  if (!URL.canParse(text)) return 'is not a URL';
  const { protocol, username, password, port, hostname } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return 'is not an https URL';
  if (username !== '' || password !== '') return 'must not hold a user name or password';
  if (port !== '' && Number(port) < 1_024) return 'must use port 443 or one above 1023';
  // The URL parser has turned every way to write an IPv4 address into the usual one.
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const named = isIP(host) === 0;
  const thisMachine = named ? /^(.+\.)?localhost$/.test(host) : isLoopbackAddress(host);
  if (thisMachine) return livemode ? 'must not lead to this machine beside a live key' : undefined;
  if (!named && !isPublicAddress(host)) return 'must not lead to an address that is not public';
  return protocol === 'https:' ? undefined : 'must be https';
}
